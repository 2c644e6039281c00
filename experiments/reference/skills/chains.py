"""Relations followed from one to the next: the boss of the boss, and what comes so many after a thing in a row."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from random import Random

from experiments.reference.facts import PERSON, THING, Facts, boss_statement, following_statement
from experiments.reference.skill import Problem, Skill, Slots
from experiments.reference.skills.keys import last
from experiments.reference.words import PEOPLE, THINGS

FARTHEST = 4


def draw_bosses(random: Random, count: int, among: Sequence[str] = PEOPLE) -> Facts:
    """Up to `count` facts: chains of up to five people of `among`, in any order; nobody is above himself."""
    return Facts(boss=draw_links(random, count, among))


def draw_row(random: Random, count: int, among: Sequence[str] = THINGS) -> Facts:
    """Up to `count` facts: rows of up to five things of `among`."""
    return Facts(following=draw_links(random, count, among))


def draw_links(random: Random, count: int, among: Sequence[str]) -> dict[str, str]:
    chained = random.sample(among, min(count + 1 + count // 4, len(among)))
    links = [link for n, link in enumerate(pairwise(chained)) if n % (FARTHEST + 1) != FARTHEST]
    return dict(random.sample(links, min(count, len(links))))


def chain(links: Mapping[str, str], start: str, hops: int) -> list[str]:
    """The start and those that follow, as far as `hops` and the links reach."""
    found = [start]
    while len(found) <= hops and found[-1] in links:
        found.append(links[found[-1]])
    return found


def _drawdraw_links(random: Random, hops: int, among: Sequence[str]) -> tuple[dict[str, str], str]:
    """Links among which a chain of `hops` begins, and where."""
    while True:
        links = draw_links(random, random.randint(hops + 1, 8), among)
        starts = [start for start in links if len(chain(links, start, hops)) > hops]
        if starts:
            return links, random.choice(starts)


def _draw_hops(random: Random, difficulty: int) -> Problem:
    links, start = _drawdraw_links(random, difficulty, PEOPLE)
    return hops_problem(Facts(boss=links), start, difficulty)


def hops_problem(facts: Facts, person: str, hops: int) -> Problem:
    reached = chain(facts.boss, person, hops)[-1]
    return Problem(hops_slots(person, hops), f"{person} {hops} {reached}", facts)


def hops_slots(person: str, hops: int) -> Slots:
    return {"hops": " ".join(["the boss of"] * hops), "person": person}


def hops_asked(slots: Slots, _: Facts) -> int:
    return slots["hops"].count("boss")


def _solve_hops(slots: Slots, facts: Facts) -> str | None:
    hops = hops_asked(slots, facts)
    people = chain(facts.boss, slots["person"], hops)
    return led(people) if len(people) > hops else None


def led(people: Sequence[str]) -> str:
    """Each of them, and from whom he gets his orders."""
    return " ".join(f"{boss_statement(*link)}." for link in pairwise(people))


WHO = (
    "who is {hops} {person}",
    "name {hops} {person}",
    "tell who is {hops} {person}",
    "i ask who is {hops} {person}",
)
WHO_PATTERNS = {"hops": r"the boss of(?: the boss of)*", "person": PERSON}

HOPS = Skill(
    name="hops",
    bodies=WHO,
    patterns=WHO_PATTERNS,
    difficulties=(1, 2, 3, 4),
    draw=_draw_hops,
    solve=_solve_hops,
    key=lambda answer: last(PERSON, answer),
    difficulty=hops_asked,
    in_context=True,
)


def _draw_space(random: Random, difficulty: int) -> Problem:
    links, start = _drawdraw_links(random, difficulty, THINGS)
    return space_problem(Facts(following=links), start, difficulty)


def space_problem(facts: Facts, thing: str, places: int) -> Problem:
    reached = chain(facts.following, thing, places)[-1]
    return Problem({"n": str(places), "thing": thing}, f"{thing} {places} {reached}", facts)


def places_asked(slots: Slots, _: Facts) -> int:
    return int(slots["n"])


def _solve_space(slots: Slots, facts: Facts) -> str | None:
    passed = chain(facts.following, slots["thing"], int(slots["n"]))
    return counted(passed) if len(passed) > int(slots["n"]) else None


def counted(passed: Sequence[str]) -> str:
    """The things passed, counted."""
    return " ".join(f"{number}, {following_statement(*link)}." for number, link in enumerate(pairwise(passed), start=1))


AFTER = (
    "what is {n} after the {thing}",
    "which thing comes {n} after the {thing}",
    "name the thing {n} after the {thing}",
    "what do i see {n} after the {thing}",
)
AFTER_PATTERNS = {"n": rf"[1-{FARTHEST}]", "thing": THING}

SPACE = Skill(
    name="space",
    bodies=AFTER,
    patterns=AFTER_PATTERNS,
    difficulties=(1, 2, 3, 4),
    draw=_draw_space,
    solve=_solve_space,
    key=lambda answer: last(THING, answer),
    difficulty=places_asked,
    in_context=True,
)
