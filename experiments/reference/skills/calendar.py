"""Days, months and dates: what comes so many after, or before. Answers show their working."""

from random import Random

from experiments.reference.facts import Facts
from experiments.reference.skill import Problem, Skill, Slots
from experiments.reference.skills.keys import last
from experiments.reference.skills.reckoning import DIRECTION, around_the_dial
from experiments.reference.words import MONTHS, WEEKDAYS

DAY, MONTH = "|".join(WEEKDAYS), "|".join(MONTHS)
LENGTHS = dict(zip(MONTHS, (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31), strict=True))
"""Of an ordinary year."""


def _draw_days(random: Random, _: int) -> Problem:
    days, day, direction = random.randint(2, 13), random.choice(WEEKDAYS), random.choice(("after", "before"))
    return Problem({"n": str(days), "d": direction, "day": day}, f"{days} {direction} {day}")


def _solve_days(slots: Slots, _: Facts) -> str:
    """Whole weeks are set aside, the rest is counted day by day."""
    count, step = int(slots["n"]), 1 if slots["d"] == "after" else -1
    start = WEEKDAYS.index(slots["day"])
    counted = [WEEKDAYS[(start + step * n) % len(WEEKDAYS)] for n in range(count % 7 + 1)]
    weeks = f"{count} days are 7 and {count - 7}, " if count >= 7 else ""
    return f"{weeks}{', '.join(counted)}."


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
    key=lambda answer: last(DAY, answer),
    difficulty=lambda _slots, _facts: 1,
)


def _draw_months(random: Random, _: int) -> Problem:
    months, month, direction = random.randint(2, 11), random.choice(MONTHS), random.choice(("after", "before"))
    return Problem({"n": str(months), "d": direction, "month": month}, f"{months} {direction} {month}")


def _solve_months(slots: Slots, _: Facts) -> str:
    """By the numbers of the months."""
    working, reached = around_the_dial(MONTHS.index(slots["month"]) + 1, int(slots["n"]), slots["d"])
    wrapped = f", {reached} - 12 = {reached - 12}" if reached > 12 else ""
    return f"{working}{wrapped}, {MONTHS[(reached - 1) % 12]}."


MONTHS_ON = Skill(
    name="months",
    bodies=(
        "which month is {n} months {d} {month}",
        "what month comes {n} months {d} {month}",
        "name the month {n} months {d} {month}",
        "which month do we have {n} months {d} {month}",
    ),
    patterns={"n": r"\d\d?", "d": DIRECTION, "month": MONTH},
    difficulties=(1,),
    draw=_draw_months,
    solve=_solve_months,
    key=lambda answer: last(MONTH, answer),
    difficulty=lambda _slots, _facts: 1,
)


def _draw_dates(random: Random, difficulty: int) -> Problem:
    """Difficulty 1 stays within the month, 2 goes over into the next."""
    month = random.choice(MONTHS)
    start = random.randint(1, LENGTHS[month] - 2) if difficulty == 1 else random.randint(5, LENGTHS[month])
    left = LENGTHS[month] - start
    days = random.randint(2, left) if difficulty == 1 else random.randint(max(2, left + 1), left + 20)
    return Problem({"n": str(days), "month": month, "start": str(start)}, f"{days} {month} {start}")


def _solve_dates(slots: Slots, _: Facts) -> str:
    month, reached = slots["month"], int(slots["start"]) + int(slots["n"])
    length = LENGTHS[month]
    working = f"{slots['start']} + {slots['n']} = {reached}"
    if reached <= length:
        return f"{working}, {month} {reached}."
    following = MONTHS[(MONTHS.index(month) + 1) % 12]
    return (
        f"{working}, {month} has {length}, {reached} - {length} = {reached - length}, {following} {reached - length}."
    )


def _crosses(slots: Slots, _: Facts) -> int:
    return 2 if int(slots["start"]) + int(slots["n"]) > LENGTHS[slots["month"]] else 1


DATES = Skill(
    name="dates",
    bodies=(
        "what date is {n} days after {month} {start}",
        "which date comes {n} days after {month} {start}",
        "what is the date {n} days after {month} {start}",
        "name the date {n} days after {month} {start}",
    ),
    patterns={"n": r"\d\d?", "month": MONTH, "start": r"\d\d?"},
    difficulties=(1, 2),
    draw=_draw_dates,
    solve=_solve_dates,
    key=lambda answer: last(rf"(?:{MONTH}) \d+", answer),
    difficulty=_crosses,
)
