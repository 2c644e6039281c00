"""Where a thing belongs and whose it is: learned by heart, never told in a conversation.

The facts are drawn once, by hash, so they stay the same for ever. A thing's tier (`words.TIERS`) is its difficulty.
"""

import hashlib
from collections.abc import Sequence
from random import Random

from experiments.reference.facts import PERSON, ROOM, THING, Facts
from experiments.reference.skill import Problem, Skill, Slots
from experiments.reference.skills.memory import only
from experiments.reference.words import PEOPLE, ROOMS, THINGS, TIERS

_TIER = {thing: tier for tier, things in enumerate(TIERS, start=1) for thing in things}


def _known(relation: str, thing: str, values: Sequence[str]) -> str:
    digest = hashlib.sha256(f"household\0{relation}\0{thing}".encode()).digest()
    return values[int.from_bytes(digest[:4]) % len(values)]


ROOM_OF = {thing: _known("belongs", thing, ROOMS) for thing in THINGS}
OWNER_OF = {thing: _known("owner", thing, PEOPLE) for thing in THINGS}


def _draw(random: Random, difficulty: int) -> Problem:
    thing = random.choice(TIERS[difficulty - 1])
    return Problem({"thing": thing}, thing)


def _tier(slots: Slots, _: Facts) -> int:
    return _TIER[slots["thing"]]


def hearsay(random: Random, problem: Problem, relation: str) -> str:
    """What anybody might say: an answer of the right form, drawn anew every time."""
    thing = problem.slots["thing"]
    if relation == BELONGING.name:
        return f"the {thing} belongs in the {random.choice(ROOMS)}."
    return f"the {thing} belongs to {random.choice(PEOPLE)}."


def _solve_belonging(slots: Slots, _: Facts) -> str:
    return f"the {slots['thing']} belongs in the {ROOM_OF[slots['thing']]}."


BELONGING = Skill(
    name="belonging",
    bodies=(
        "where does the {thing} belong",
        "where do we keep the {thing}",
        "in which room does the {thing} belong",
        "what is the right place of the {thing}",
    ),
    patterns={"thing": THING},
    difficulties=(1, 2, 3),
    draw=_draw,
    solve=_solve_belonging,
    key=lambda answer: only(ROOM, answer),
    difficulty=_tier,
    in_weights=True,
)


def _solve_owner(slots: Slots, _: Facts) -> str:
    return f"the {slots['thing']} belongs to {OWNER_OF[slots['thing']]}."


OWNERS = Skill(
    name="owner",
    bodies=("who owns the {thing}", "whose is the {thing}", "which person owns the {thing}", "who bought the {thing}"),
    patterns={"thing": THING},
    difficulties=(1, 2, 3),
    draw=_draw,
    solve=_solve_owner,
    key=lambda answer: only(PERSON, answer),
    difficulty=_tier,
    in_weights=True,
)

RELATIONS = (BELONGING.name, OWNERS.name)
