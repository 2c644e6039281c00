"""What is so in this household: learned by heart, never told in a conversation.

The facts are drawn once, by hash, so they stay the same for ever. Of where a thing belongs and whose it is, the thing's
tier (`words.TIERS`) is the difficulty. Where everybody keeps their own is asked as people ask: some of it all the time,
most of it hardly ever (Zipf's law); the difficulty tells how far down the ranks a fact stands.
"""

import hashlib
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate, pairwise
from random import Random

from experiments.reference.facts import PERSON, ROOM, THING, Facts
from experiments.reference.skill import Problem, Skill, Slots
from experiments.reference.skills.keys import only
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
    rumour=lambda random, problem: f"the {problem.slots['thing']} belongs in the {random.choice(ROOMS)}.",
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
    rumour=lambda random, problem: f"the {problem.slots['thing']} belongs to {random.choice(PEOPLE)}.",
)


_KEPT = THINGS[:24]
"""Things of which everybody has one of their own."""
_RANKED = sorted(
    ((person, thing) for person in PEOPLE for thing in _KEPT),
    key=lambda pair: hashlib.sha256(f"household\0rank\0{pair[0]}\0{pair[1]}".encode()).digest(),
)
_RANKS = (0, 40, 240, len(_RANKED))
"""Difficulty n holds the facts from rank _RANKS[n - 1] to _RANKS[n]."""
_RANK = {pair: rank for rank, pair in enumerate(_RANKED)}
_PLACE_KEPT = {pair: _known("keeps", f"{pair[0]} {pair[1]}", ROOMS) for pair in _RANKED}
_USE = tuple(tuple(accumulate(1 / (rank + 30) for rank in range(*tier))) for tier in pairwise(_RANKS))
"""For each difficulty, how often its facts up to each are used: a shifted Zipf distribution (Mandelbrot 1953)."""
KEEPING_SHARES = tuple(tier[-1] / sum(each[-1] for each in _USE) for tier in _USE)
"""The share of each difficulty when people ask as they do."""


def _draw_keeping(random: Random, difficulty: int) -> Problem:
    """Among the facts of one difficulty, each as often as it is used."""
    facts = _RANKED[_RANKS[difficulty - 1] : _RANKS[difficulty]]
    person, thing = random.choices(facts, cum_weights=_USE[difficulty - 1])[0]
    return Problem({"person": person, "thing": thing}, f"{person} {thing}")


def _keeping_difficulty(slots: Slots, _: Facts) -> int:
    return bisect_right(_RANKS, _RANK[slots["person"], slots["thing"]])


def _solve_keeping(slots: Slots, _: Facts) -> str | None:
    place = _PLACE_KEPT.get((slots["person"], slots["thing"]))
    return _kept(slots, place) if place else None


def _kept(slots: Slots, place: str) -> str:
    return f"{slots['person']} keeps the {slots['thing']} in the {place}."


KEEPING = Skill(
    name="keeping",
    bodies=(
        "where does {person} keep the {thing}",
        "in which room does {person} keep the {thing}",
        "where does {person} have the {thing}",
        "which room does {person} keep the {thing} in",
    ),
    patterns={"person": PERSON, "thing": THING},
    difficulties=(1, 2, 3),
    draw=_draw_keeping,
    solve=_solve_keeping,
    key=lambda answer: only(ROOM, answer),
    difficulty=_keeping_difficulty,
    in_weights=True,
    rumour=lambda random, problem: _kept(problem.slots, random.choice(ROOMS)),
)
