"""What cannot be known, because nobody told it: a place, a wish, or the end of a chain.

The questions are those of the memory skills; what was told decides which of the two it is. An answer says what is asked
for and stops where the value would stand.
"""

from collections.abc import Callable, Mapping
from random import Random

from experiments.reference.facts import PERSON, ROOM, THING, UNKNOWN, Facts, favourite_statement, place_statement
from experiments.reference.skill import Problem, Skill, Slots
from experiments.reference.skills import chains, memory
from experiments.reference.skills.keys import last, only
from experiments.reference.words import PEOPLE, THINGS

_MOST_LINKS = 8


def unknown_or(known: Callable[[str], str | None]) -> Callable[[str], str | None]:
    """A key that tells an admission from every value."""
    return lambda answer: "unknown" if "do not know" in answer else known(answer)


def _content(subject: str, facts: Facts) -> str:
    """Everybody and everything is untold of now and then: only together with what was told is it a content."""
    return " ".join((subject, "among", *sorted(facts.statements())))


def _draw_place(random: Random, difficulty: int) -> Problem:
    facts = memory.draw_places(random, difficulty)
    return _place(facts, random.choice([thing for thing in THINGS if thing not in facts.place]))


def _place_problem(random: Random, facts: Facts) -> Problem | None:
    thing = random.choice(THINGS)
    return None if thing in facts.place else _place(facts, thing)


def _place(facts: Facts, thing: str) -> Problem:
    return Problem({"thing": thing}, _content(thing, facts), facts)


def _solve_place(slots: Slots, facts: Facts) -> str | None:
    return None if slots["thing"] in facts.place else f"{place_statement(slots['thing'], UNKNOWN)}."


UNTOLD_PLACE = Skill(
    name="untold_place",
    bodies=memory.WHERE,
    patterns=memory.PLACES.patterns,
    difficulties=(1, 4, 8),
    draw=_draw_place,
    solve=_solve_place,
    key=unknown_or(lambda answer: only(ROOM, answer)),
    difficulty=lambda _, facts: len(facts.place),
    in_context=True,
)


def _draw_favourite(random: Random, difficulty: int) -> Problem:
    facts = memory.draw_favourites(random, difficulty)
    return _favourite(facts, random.choice([person for person in PEOPLE if person not in facts.favourite]))


def _favourite_problem(random: Random, facts: Facts) -> Problem | None:
    person = random.choice(PEOPLE)
    return None if person in facts.favourite else _favourite(facts, person)


def _favourite(facts: Facts, person: str) -> Problem:
    return Problem({"person": person}, _content(person, facts), facts)


def _solve_favourite(slots: Slots, facts: Facts) -> str | None:
    return None if slots["person"] in facts.favourite else f"{favourite_statement(slots['person'], UNKNOWN)}."


UNTOLD_FAVOURITE = Skill(
    name="untold_favourite",
    bodies=memory.WISHES,
    patterns=memory.FAVOURITES.patterns,
    difficulties=(1, 4, 8),
    draw=_draw_favourite,
    solve=_solve_favourite,
    key=unknown_or(lambda answer: only(THING, answer)),
    difficulty=lambda _, facts: len(facts.favourite),
    in_context=True,
)


def _ends(links: Mapping[str, str], among: tuple[str, ...], hops: int) -> list[str]:
    """Those from whom the links lead on `hops` - 1 times, and no farther."""
    return [start for start in among if len(chains.chain(links, start, hops)) == hops]


def _draw_end(random: Random, hops: int, among: tuple[str, ...]) -> tuple[dict[str, str], str]:
    """Links, and somebody of whom the last of `hops` is not among them."""
    while True:
        links = chains.draw_links(random, random.randint(hops, _MOST_LINKS), among)
        if starts := _ends(links, among, hops):
            return links, random.choice(starts)


def _draw_boss(random: Random, difficulty: int) -> Problem:
    links, start = _draw_end(random, difficulty, PEOPLE)
    return _boss(Facts(boss=links), start, difficulty)


def _boss_problem(random: Random, facts: Facts) -> Problem | None:
    """Farther than was told; None where this chain is as long as questions are."""
    start = random.choice(PEOPLE)
    known = len(chains.chain(facts.boss, start, chains.FARTHEST))
    return _boss(facts, start, random.randint(known, chains.FARTHEST)) if known <= chains.FARTHEST else None


def _boss(facts: Facts, start: str, hops: int) -> Problem:
    return Problem(chains.hops_slots(start, hops), _content(f"{start} {hops}", facts), facts)


def _solve_boss(slots: Slots, facts: Facts) -> str | None:
    hops = chains.hops_asked(slots, facts)
    people = chains.chain(facts.boss, slots["person"], hops)
    return chains.led([*people, UNKNOWN]) if len(people) <= hops else None


UNTOLD_BOSS = Skill(
    name="untold_boss",
    bodies=chains.WHO,
    patterns=chains.WHO_PATTERNS,
    difficulties=(1, 2),
    draw=_draw_boss,
    solve=_solve_boss,
    key=unknown_or(lambda answer: last(PERSON, answer)),
    difficulty=chains.hops_asked,
    in_context=True,
)


def _draw_following(random: Random, difficulty: int) -> Problem:
    links, start = _draw_end(random, difficulty, THINGS)
    return _following(Facts(following=links), start, difficulty)


def _following_problem(random: Random, facts: Facts) -> Problem | None:
    """As `_boss_problem`, along a row of things; half the time from one that was told of."""
    mentioned = (*facts.following, *facts.following.values())
    start = random.choice(mentioned if mentioned and random.random() < 0.5 else THINGS)
    known = len(chains.chain(facts.following, start, chains.FARTHEST))
    return _following(facts, start, random.randint(known, chains.FARTHEST)) if known <= chains.FARTHEST else None


def _following(facts: Facts, start: str, places: int) -> Problem:
    return Problem({"n": str(places), "thing": start}, _content(f"{start} {places}", facts), facts)


def _solve_following(slots: Slots, facts: Facts) -> str | None:
    places = chains.places_asked(slots, facts)
    passed = chains.chain(facts.following, slots["thing"], places)
    return chains.counted([*passed, UNKNOWN]) if len(passed) <= places else None


UNTOLD_FOLLOWING = Skill(
    name="untold_following",
    bodies=chains.AFTER,
    patterns=chains.AFTER_PATTERNS,
    difficulties=(1, 2),
    draw=_draw_following,
    solve=_solve_following,
    key=unknown_or(lambda answer: last(THING, answer)),
    difficulty=chains.places_asked,
    in_context=True,
)


UNTOLD: Mapping[str, tuple[Skill, Callable[[Random, Facts], Problem | None]]] = {
    "place": (UNTOLD_PLACE, _place_problem),
    "favourite": (UNTOLD_FAVOURITE, _favourite_problem),
    "boss": (UNTOLD_BOSS, _boss_problem),
    "following": (UNTOLD_FOLLOWING, _following_problem),
}
"""For every kind of `Facts`, the skill, and a problem that the facts told so far cannot answer; None where chance drew
one that they can."""
