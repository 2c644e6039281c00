"""What was told earlier in the conversation: where things are, and what people like."""

from collections.abc import Sequence
from random import Random

from experiments.reference.facts import PERSON, ROOM, THING, Facts, favourite_statement, place_statement
from experiments.reference.skill import Problem, Skill, Slots
from experiments.reference.skills.keys import every, only
from experiments.reference.words import PEOPLE, ROOMS, THINGS

MOST_FACTS = 16


def draw_places(random: Random, count: int) -> Facts:
    return Facts(place={thing: random.choice(ROOMS) for thing in random.sample(THINGS, count)})


def draw_favourites(random: Random, count: int) -> Facts:
    return Facts(favourite={person: random.choice(THINGS) for person in random.sample(PEOPLE, count)})


def _draw_place(random: Random, difficulty: int) -> Problem:
    facts = draw_places(random, difficulty)
    return place_problem(facts, random.choice(list(facts.place)))


def place_problem(facts: Facts, thing: str) -> Problem:
    return Problem({"thing": thing}, f"{thing} {facts.place[thing]}", facts)


def _solve_place(slots: Slots, facts: Facts) -> str | None:
    room = facts.place.get(slots["thing"])
    return f"{place_statement(slots['thing'], room)}." if room else None


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


WISHES = (
    "what would {person} like",
    "which thing would {person} like",
    "do you remember what {person} would like",
    "what did i say {person} would like",
)

FAVOURITES = Skill(
    name="recall_favourite",
    bodies=WISHES,
    patterns={"person": PERSON},
    difficulties=(1, 2, 4, 8, 16),
    draw=_draw_favourite,
    solve=_solve_favourite,
    key=lambda answer: only(THING, answer),
    difficulty=lambda _, facts: len(facts.favourite),
    in_context=True,
)


def _draw_several_places(random: Random, difficulty: int) -> Problem:
    facts = draw_places(random, random.randint(difficulty, MOST_FACTS))
    return several_places_problem(facts, random.sample(list(facts.place), difficulty))


def several_places_problem(facts: Facts, things: Sequence[str]) -> Problem:
    content = " ".join(f"{thing} {facts.place[thing]}" for thing in things)
    return Problem({"list": " ".join(things)}, content, facts)


def _solve_several_places(slots: Slots, facts: Facts) -> str | None:
    things = slots["list"].split()
    if not all(thing in facts.place for thing in things):
        return None
    return " ".join(f"{place_statement(thing, facts.place[thing])}." for thing in things)


def _asked(slots: Slots, _: Facts) -> int:
    return len(slots["list"].split())


SEVERAL_PLACES = Skill(
    name="recall_places",
    bodies=(
        "where are these {list}",
        "in which rooms are these {list}",
        "say again where these are {list}",
        "which places have these {list}",
    ),
    patterns={"list": rf"(?:{THING})(?: (?:{THING}))*"},
    difficulties=(2, 4),
    draw=_draw_several_places,
    solve=_solve_several_places,
    key=lambda answer: every(rf"{THING}|{ROOM}", answer),
    difficulty=_asked,
    in_context=True,
)


def _draw_several_favourites(random: Random, difficulty: int) -> Problem:
    facts = draw_favourites(random, random.randint(difficulty, MOST_FACTS))
    return several_favourites_problem(facts, random.sample(list(facts.favourite), difficulty))


def several_favourites_problem(facts: Facts, people: Sequence[str]) -> Problem:
    content = " ".join(f"{person} {facts.favourite[person]}" for person in people)
    return Problem({"list": " ".join(people)}, content, facts)


def _solve_several_favourites(slots: Slots, facts: Facts) -> str | None:
    people = slots["list"].split()
    if not all(person in facts.favourite for person in people):
        return None
    return " ".join(f"{favourite_statement(person, facts.favourite[person])}." for person in people)


SEVERAL_FAVOURITES = Skill(
    name="recall_favourites",
    bodies=(
        "what would these people like {list}",
        "which things would these people like {list}",
        "say again what these people would like {list}",
        "do you remember what these people would like {list}",
    ),
    patterns={"list": rf"(?:{PERSON})(?: (?:{PERSON}))*"},
    difficulties=(2, 4),
    draw=_draw_several_favourites,
    solve=_solve_several_favourites,
    key=lambda answer: every(rf"{PERSON}|{THING}", answer),
    difficulty=_asked,
    in_context=True,
)
