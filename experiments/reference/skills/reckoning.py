"""Sums, differences and hours. Answers show their working."""

from random import Random

from experiments.reference.facts import Facts
from experiments.reference.skill import Problem, Skill, Slots
from experiments.reference.skills.keys import last_number

NUMBER = r"\d{1,3}"
DIRECTION = "after|before"


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


def _draw_difference(random: Random, difficulty: int) -> Problem:
    """The larger number has `difficulty` digits."""
    larger = random.randrange(10 ** (difficulty - 1), 10**difficulty)
    smaller = random.randint(0, larger)
    return Problem({"a": str(larger), "b": str(smaller)}, f"{larger}-{smaller}")


def _solve_difference(slots: Slots, _: Facts) -> str | None:
    a, b = int(slots["a"]), int(slots["b"])
    return f"{a} - {b} = {a - b}." if a >= b else None


SUBTRACTION = Skill(
    name="subtraction",
    bodies=("what is {a} minus {b}", "how much is {a} minus {b}", "take {b} from {a}", "subtract {b} from {a}"),
    patterns={"a": NUMBER, "b": NUMBER},
    difficulties=(1, 2),
    draw=_draw_difference,
    solve=_solve_difference,
    key=last_number,
    difficulty=lambda slots, _: len(slots["a"]),
)


def _draw_hours(random: Random, _: int) -> Problem:
    hours, hour, direction = random.randint(2, 11), random.randint(1, 12), random.choice(("after", "before"))
    return Problem({"n": str(hours), "d": direction, "h": str(hour)}, f"{hours} {direction} {hour}")


def around_the_dial(start: int, count: int, direction: str) -> tuple[str, int]:
    """The working of going `count` places on from `start` among twelve, or back; and where it comes to, not wrapped."""
    if direction == "after":
        return f"{start} + {count} = {start + count}", start + count
    if start > count:
        return f"{start} - {count} = {start - count}", start - count
    return f"{start} + 12 = {start + 12}, {start + 12} - {count} = {start + 12 - count}", start - count


def _solve_hours(slots: Slots, _: Facts) -> str:
    working, reached = around_the_dial(int(slots["h"]), int(slots["n"]), slots["d"])
    return f"{working}, so it is {(reached - 1) % 12 + 1} o'clock."


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
