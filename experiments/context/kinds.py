"""The kinds of utterances that dialogues are made of: the curriculum's skills, and ways of telling something.

What is close to what follows from the curriculum alone, before anything is classified: kinds of one family are
*related*; kinds of different families that have no type of slot in common are *apart*; of all others nobody can say,
and no dialogue rests on them.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from random import Random

from experiments.context.split import Side, halves
from experiments.reference.skill import OPENERS, Skill
from experiments.reference.skills import SKILLS
from experiments.reference.words import APPLIANCES, PEOPLE, ROOMS, THINGS, WEEKDAYS

Slots = Mapping[str, str]


@dataclass(frozen=True)
class Kind:
    """`wordings` have slots in braces. A kind that tells names the slots that `about` its subject and its `value`."""

    name: str
    family: str
    types: frozenset[str]
    wordings: tuple[str, ...]
    draw: Callable[[Random], Slots]
    openers: tuple[str, ...] = ("",)
    about: tuple[str, ...] = ()
    value: str = ""

    @cached_property
    def _sides(self) -> Mapping[Side, tuple[str, ...]]:
        return halves(self.name, self.wordings)

    def wordings_of(self, side: Side) -> tuple[str, ...]:
        return self._sides[side]

    def say(self, random: Random, side: Side, slots: Slots | None = None, *, unlike: str = "") -> str:
        """An utterance of this kind; with `slots`, about these. `unlike`: in another wording than this one, if any."""
        wordings = self.wordings_of(side)
        wording = random.choice([one for one in wordings if one != unlike] or wordings)
        opener = random.choice(self.openers) if random.random() < 0.4 else ""
        return f"{opener} {wording.format(**(slots or self.draw(random)))}".strip()


def related(one: Kind, other: Kind) -> bool:
    """A question about several is neither the question about one nor another."""
    return one.family == other.family and one is not other and {one.name, other.name} not in _SAME


def apart(one: Kind, other: Kind) -> bool:
    return one.family != other.family and not one.types & other.types


_SKILLS: Mapping[str, tuple[str, str]] = {
    "addition": ("reckoning", "number"),
    "subtraction": ("reckoning", "number"),
    "hours": ("calendar", "number"),
    "days": ("calendar", "number date"),
    "months": ("calendar", "number date"),
    "dates": ("calendar", "number date"),
    "sorting": ("sorting", "number"),
    "reversing": ("words", "word thing room person"),
    "counting": ("words", "word thing room person"),
    "echo": ("words", "word thing room person"),
    "recall_place": ("places", "thing"),
    "recall_places": ("places", "thing"),
    "belonging": ("places", "thing"),
    "owner": ("places", "thing"),
    "keeping": ("places", "thing person"),
    "recall_favourite": ("wishes", "person"),
    "recall_favourites": ("wishes", "person"),
    "hops": ("bosses", "person"),
    "space": ("rows", "number thing"),
    "device": ("devices", "device thing room"),
    "setting": ("devices", "device thing room number"),
    "robot": ("robot", "heading"),
    "talk": ("talk", ""),
}
"""Skill → family and types of slots. Questions about what nobody told are worded as the others are.

Days and months are of one type, and so are devices and things: some devices are among the things.
"""


_SAME = ({"recall_place", "recall_places"}, {"recall_favourite", "recall_favourites"})


def _skill(name: str) -> Kind:
    skill, (family, types) = SKILLS[name], _SKILLS[name]
    return Kind(
        name,
        family,
        frozenset(types.split()),
        skill.bodies,
        lambda random: _drawn(random, skill),
        OPENERS,
    )


def _drawn(random: Random, skill: Skill) -> Slots:
    while (slots := skill.draw(random, skill.difficulties[0]).slots).get("phrase") in _HANGS_ON_THE_ANSWER:
        pass
    return slots


_HANGS_ON_THE_ANSWER = ("that was wrong", "well done")
"""Small talk whose context depends on what was answered, which these dialogues do not have."""


def _telling(
    name: str,
    family: str,
    about: Mapping[str, tuple[str, ...]],
    value: tuple[str, tuple[str, ...]],
    wordings: tuple[str, ...],
) -> Kind:
    slot, values = value

    def draw(random: Random) -> Slots:
        subject = {key: random.choice(words) for key, words in about.items()}
        return subject | {slot: random.choice([word for word in values if word not in subject.values()])}

    types = frozenset(_TYPE.get(key, key) for key in (*about, slot)) | ({"thing"} if "device" in about else set())
    return Kind(name, family, types, wordings, draw, _TELLERS, tuple(about), slot)


_TELLERS = ("remember that", "listen", "please note that", "well")
_TYPE = {"boss": "person", "n": "number", "day": "date"}
_NUMBERS = tuple(str(number) for number in range(12, 90))

TELLING: Mapping[str, Kind] = {
    kind.name: kind
    for kind in (
        _telling(
            "tell_place",
            "places",
            {"thing": THINGS},
            ("room", ROOMS),
            (
                "the {thing} is in the {room}",
                "the {thing} lies in the {room}",
                "i put the {thing} in the {room}",
                "we left the {thing} in the {room}",
                "you find the {thing} in the {room}",
                "my {thing} was in the {room}",
            ),
        ),
        _telling(
            "tell_wish",
            "wishes",
            {"person": PEOPLE},
            ("thing", THINGS),
            (
                "{person} would like the {thing}",
                "{person} wants the {thing}",
                "{person} asked for the {thing}",
                "the wish of {person} is the {thing}",
            ),
        ),
        _telling(
            "tell_boss",
            "bosses",
            {"person": PEOPLE},
            ("boss", PEOPLE),
            (
                "{person} gets orders from {boss}",
                "{person} works for {boss}",
                "the boss of {person} is {boss}",
                "{person} reports to {boss}",
            ),
        ),
        _telling(
            "tell_visit",
            "visits",
            {"person": PEOPLE},
            ("day", WEEKDAYS),
            (
                "{person} comes on {day}",
                "{person} will visit us on {day}",
                "the visit of {person} is on {day}",
                "we expect {person} on {day}",
            ),
        ),
        _telling(
            "tell_degrees",
            "degrees",
            {"room": ROOMS},
            ("n", _NUMBERS),
            (
                "the {room} has {n} degrees",
                "it is {n} degrees in the {room}",
                "the temperature of the {room} is {n}",
                "in the {room} we have {n} degrees",
            ),
        ),
        _telling(
            "tell_state",
            "devices",
            {"device": APPLIANCES, "room": ROOMS},
            ("state", ("on", "off")),
            (
                "the {device} in the {room} is {state}",
                "in the {room} the {device} is {state}",
                "i left the {device} in the {room} {state}",
                "the {device} of the {room} was {state}",
            ),
        ),
    )
}

KINDS: Mapping[str, Kind] = {**{name: _skill(name) for name in _SKILLS}, **TELLING}
