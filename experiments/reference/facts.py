"""What people tell in a conversation, and finding it again in their words."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from experiments.reference.words import PEOPLE, ROOMS, THINGS

THING, ROOM, PERSON = ("|".join(words) for words in (THINGS, ROOMS, PEOPLE))

_PLACED = re.compile(rf"\bthe ({THING}) is in the ({ROOM})\b")
_LIKED = re.compile(rf"\b({PERSON}) likes the ({THING})\b")
_LED = re.compile(rf"\bthe boss of ({PERSON}) is ({PERSON})\b")


def _nothing() -> Mapping[str, str]:
    return MappingProxyType({})


@dataclass(frozen=True)
class Facts:
    """Later statements replace earlier ones about the same subject."""

    place: Mapping[str, str] = field(default_factory=_nothing)
    """Thing -> room."""
    favourite: Mapping[str, str] = field(default_factory=_nothing)
    """Person -> thing."""
    boss: Mapping[str, str] = field(default_factory=_nothing)
    """Person -> person."""

    def statements(self) -> list[str]:
        return [
            *(place_statement(*fact) for fact in self.place.items()),
            *(favourite_statement(*fact) for fact in self.favourite.items()),
            *(boss_statement(*fact) for fact in self.boss.items()),
        ]


def place_statement(thing: str, room: str) -> str:
    return f"the {thing} is in the {room}"


def favourite_statement(person: str, thing: str) -> str:
    return f"{person} likes the {thing}"


def boss_statement(person: str, boss: str) -> str:
    return f"the boss of {person} is {boss}"


def told(texts: Iterable[str]) -> Facts:
    """The facts in what was said, oldest first. Texts are normalised."""
    place: dict[str, str] = {}
    favourite: dict[str, str] = {}
    boss: dict[str, str] = {}
    for text in texts:
        place.update(_PLACED.findall(text))
        favourite.update(_LIKED.findall(text))
        boss.update(_LED.findall(text))
    return Facts(place, favourite, boss)
