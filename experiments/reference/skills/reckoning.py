"""Sums, hours and days."""

import re
from random import Random

from experiments.reference.facts import Facts
from experiments.reference.skill import Problem, Skill, Slots
from experiments.reference.words import WEEKDAYS

NUMBER = r"\d{1,3}"
DAY = "|".join(WEEKDAYS)
DIRECTION = "after|before"


def last_number(answer: str) -> str | None:
    """The last number in the answer: what a sum or a time comes down to."""
    found = re.findall(r"\d+", answer)
    return found[-1] if found else None


def _draw_sum(random: Random, difficulty: int) -> Problem:
    """Two numbers, the longer of `difficulty` digits."""
    longer = random.randrange(10 ** (difficulty - 1) if difficulty > 1 else 0, 10**difficulty)
    other = random.randrange(10**difficulty)
    first, second = random.sample((longer, other), 2)
    low, high = sorted((first, second))
    return Problem({"a": str(first), "b": str(second)}, f"{low}+{high}")


def _solve_sum(slots: Slots, _: Facts) -> str:
    a, b = int(slots["a"]), int(slots["b"])
    return f"{a} + {b} = {a + b}."


ADDITION = Skill(
    name="addition",
    bodies=("what is {a} plus {b}", "what does {a} plus {b} make", "add {a} and {b}", "the sum of {a} and {b}"),
    patterns={"a": NUMBER, "b": NUMBER},
    difficulties=(1, 2, 3),
    draw=_draw_sum,
    solve=_solve_sum,
    key=last_number,
    difficulty=lambda slots, _: max(len(slots["a"]), len(slots["b"])),
)


def _draw_hours(random: Random, _: int) -> Problem:
    hours, hour, direction = random.randint(2, 11), random.randint(1, 12), random.choice(("after", "before"))
    return Problem({"n": str(hours), "d": direction, "h": str(hour)}, f"{hours} {direction} {hour}")


def _solve_hours(slots: Slots, _: Facts) -> str:
    hours, hour = int(slots["n"]), int(slots["h"])
    moved = hour + hours if slots["d"] == "after" else hour - hours
    return f"{hours} hours {slots['d']} {hour} is {(moved - 1) % 12 + 1} o'clock."


HOURS = Skill(
    name="hours",
    bodies=(
        "what time is {n} hours {d} {h}",
        "which time comes {n} hours {d} {h}",
        "what does the clock show {n} hours {d} {h}",
        "what time is it {n} hours {d} {h}",
    ),
    patterns={"n": r"\d\d?", "d": DIRECTION, "h": r"\d\d?"},
    difficulties=(1,),
    draw=_draw_hours,
    solve=_solve_hours,
    key=last_number,
    difficulty=lambda _slots, _facts: 1,
)


def _draw_days(random: Random, _: int) -> Problem:
    days, day, direction = random.randint(2, 13), random.choice(WEEKDAYS), random.choice(("after", "before"))
    return Problem({"n": str(days), "d": direction, "day": day}, f"{days} {direction} {day}")


def _solve_days(slots: Slots, _: Facts) -> str:
    days = int(slots["n"]) if slots["d"] == "after" else -int(slots["n"])
    reached = WEEKDAYS[(WEEKDAYS.index(slots["day"]) + days) % len(WEEKDAYS)]
    return f"{slots['n']} days {slots['d']} {slots['day']} is {reached}."


def _last_day(answer: str) -> str | None:
    found = re.findall(rf"\b({DAY})\b", answer)
    return found[-1] if found else None


DAYS = Skill(
    name="days",
    bodies=(
        "what day is {n} days {d} {day}",
        "which day comes {n} days {d} {day}",
        "what day is it {n} days {d} {day}",
        "name the day {n} days {d} {day}",
    ),
    patterns={"n": r"\d\d?", "d": DIRECTION, "day": DAY},
    difficulties=(1,),
    draw=_draw_days,
    solve=_solve_days,
    key=_last_day,
    difficulty=lambda _slots, _facts: 1,
)
