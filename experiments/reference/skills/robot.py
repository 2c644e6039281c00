"""Keeping track of a robot that turns."""

from random import Random

from experiments.reference.facts import Facts
from experiments.reference.skill import Problem, Skill, Slots
from experiments.reference.skills.keys import last
from experiments.reference.words import HEADINGS

HEADING = "|".join(HEADINGS)
TURNS = {"left": -1, "right": 1, "around": 2}
TURN = "|".join(TURNS)


def _draw(random: Random, difficulty: int) -> Problem:
    start, turns = random.choice(HEADINGS), " ".join(random.choices(tuple(TURNS), k=difficulty))
    return Problem({"start": start, "turns": turns}, f"{start} {turns}")


def _solve(slots: Slots, _: Facts) -> str:
    """Where it looks after each of the turns."""
    heading, path = HEADINGS.index(slots["start"]), []
    for turn in slots["turns"].split():
        heading = (heading + TURNS[turn]) % len(HEADINGS)
        path.append(f"{turn} {HEADINGS[heading]}")
    return f"{slots['start']}, {', '.join(path)}."


ROBOT = Skill(
    name="robot",
    bodies=(
        "the robot looks {start} and turns {turns} where does it look",
        "a robot faces {start} it turns {turns} where is it facing",
        "where does a robot look that starts {start} and turns {turns}",
        "follow the robot from {start} through {turns}",
    ),
    patterns={"start": HEADING, "turns": rf"(?:{TURN})(?: (?:{TURN}))*"},
    difficulties=(2, 4, 6),
    draw=_draw,
    solve=_solve,
    key=lambda answer: last(HEADING, answer),
    difficulty=lambda slots, _: len(slots["turns"].split()),
)
