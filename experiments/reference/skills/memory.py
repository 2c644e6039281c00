"""What was told earlier in the conversation: places, favourites, and chains of bosses."""

import re
from itertools import pairwise
from random import Random

from experiments.reference.facts import (
    PERSON,
    ROOM,
    THING,
    Facts,
    boss_statement,
    favourite_statement,
    place_statement,
)
from experiments.reference.skill import Problem, Skill, Slots
from experiments.reference.words import PEOPLE, ROOMS, THINGS

MOST_FACTS = 16


def draw_places(random: Random, count: int) -> Facts:
    return Facts(place={thing: random.choice(ROOMS) for thing in random.sample(THINGS, count)})


def draw_favourites(random: Random, count: int) -> Facts:
    return Facts(favourite={person: random.choice(THINGS) for person in random.sample(PEOPLE, count)})


def draw_bosses(random: Random, count: int) -> Facts:
    """Chains of up to five people, in any order; nobody is above himself."""
    people = random.sample(PEOPLE, min(count + 1 + count // 4, len(PEOPLE)))
    links = [(below, above) for n, (below, above) in enumerate(pairwise(people)) if n % 5 != 4]
    return Facts(boss=dict(random.sample(links, min(count, len(links)))))


def _draw_place(random: Random, difficulty: int) -> Problem:
    facts = draw_places(random, difficulty)
    return place_problem(facts, random.choice(list(facts.place)))


def place_problem(facts: Facts, thing: str) -> Problem:
    return Problem({"thing": thing}, f"{thing} {facts.place[thing]}", facts)


def _solve_place(slots: Slots, facts: Facts) -> str | None:
    room = facts.place.get(slots["thing"])
    return f"{place_statement(slots['thing'], room)}." if room else None


def only(pattern: str, answer: str) -> str | None:
    """The one such word in the answer; None where there is none, or more than one."""
    found = set(re.findall(rf"\b({pattern})\b", answer))
    return found.pop() if len(found) == 1 else None


def _last_person(answer: str) -> str | None:
    found = re.findall(rf"\b({PERSON})\b", answer)
    return found[-1] if found else None


WHERE = (
    "where is the {thing}",
    "in which room is the {thing}",
    "where did i leave the {thing}",
    "do you remember where the {thing} is",
)

PLACES = Skill(
    name="recall_place",
    bodies=WHERE,
    patterns={"thing": THING},
    difficulties=(1, 2, 4, 8, 16),
    draw=_draw_place,
    solve=_solve_place,
    key=lambda answer: only(ROOM, answer),
    difficulty=lambda _, facts: len(facts.place),
    in_context=True,
)


def _draw_favourite(random: Random, difficulty: int) -> Problem:
    facts = draw_favourites(random, difficulty)
    return favourite_problem(facts, random.choice(list(facts.favourite)))


def favourite_problem(facts: Facts, person: str) -> Problem:
    return Problem({"person": person}, f"{person} {facts.favourite[person]}", facts)


def _solve_favourite(slots: Slots, facts: Facts) -> str | None:
    thing = facts.favourite.get(slots["person"])
    return f"{favourite_statement(slots['person'], thing)}." if thing else None


FAVOURITES = Skill(
    name="recall_favourite",
    bodies=(
        "what does {person} like",
        "which thing does {person} like",
        "do you remember what {person} likes",
        "what did i say {person} likes",
    ),
    patterns={"person": PERSON},
    difficulties=(1, 2, 4, 8, 16),
    draw=_draw_favourite,
    solve=_solve_favourite,
    key=lambda answer: only(THING, answer),
    difficulty=lambda _, facts: len(facts.favourite),
    in_context=True,
)


def _draw_hops(random: Random, difficulty: int) -> Problem:
    while True:
        facts = draw_bosses(random, random.randint(difficulty + 1, 8))
        starts = [person for person in facts.boss if len(chain(facts, person, difficulty)) > difficulty]
        if starts:
            return hops_problem(facts, random.choice(starts), difficulty)


def hops_problem(facts: Facts, person: str, hops: int) -> Problem:
    reached = chain(facts, person, hops)[-1]
    return Problem({"hops": " ".join(["the boss of"] * hops), "person": person}, f"{person} {hops} {reached}", facts)


def chain(facts: Facts, person: str, hops: int) -> list[str]:
    """The person and those above, as far as `hops` and the facts reach."""
    people = [person]
    while len(people) <= hops and people[-1] in facts.boss:
        people.append(facts.boss[people[-1]])
    return people


def _hops(slots: Slots, _: Facts) -> int:
    return slots["hops"].count("boss")


def _solve_hops(slots: Slots, facts: Facts) -> str | None:
    people = chain(facts, slots["person"], _hops(slots, facts))
    if len(people) <= _hops(slots, facts):
        return None
    return " ".join(f"{boss_statement(*link)}." for link in pairwise(people))


HOPS = Skill(
    name="hops",
    bodies=(
        "who is {hops} {person}",
        "name {hops} {person}",
        "tell who is {hops} {person}",
        "i ask who is {hops} {person}",
    ),
    patterns={"hops": r"the boss of(?: the boss of)*", "person": PERSON},
    difficulties=(1, 2, 3),
    draw=_draw_hops,
    solve=_solve_hops,
    key=_last_person,
    difficulty=_hops,
    in_context=True,
)


def _draw_untold(random: Random, difficulty: int) -> Problem:
    return untold_problem(random, draw_places(random, difficulty))


def untold_problem(random: Random, facts: Facts) -> Problem:
    thing = random.choice([thing for thing in THINGS if thing not in facts.place])
    return Problem({"thing": thing}, thing, facts)


def _solve_untold(slots: Slots, facts: Facts) -> str | None:
    return None if slots["thing"] in facts.place else f"i do not know where the {slots['thing']} is."


UNTOLD = Skill(
    name="untold",
    bodies=WHERE,
    patterns={"thing": THING},
    difficulties=(1, 4),
    draw=_draw_untold,
    solve=_solve_untold,
    key=lambda answer: "unknown" if "do not know" in answer else only(ROOM, answer),
    difficulty=lambda _, facts: len(facts.place),
    in_context=True,
)
