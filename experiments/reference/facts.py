"""What people tell in a conversation, and finding it again in their words.

In every statement the value stands four words after its subject. Recall of one relation then helps with all the others;
with other distances each was learned by itself, and most of them not at all within the tokens there are.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from experiments.reference.words import PEOPLE, ROOMS, THINGS

THING, ROOM, PERSON = ("|".join(words) for words in (THINGS, ROOMS, PEOPLE))

UNKNOWN = "... i do not know"
"""Stands where the value would, so that the search for it comes first. Said aloud, it is a pause and an admission."""

_PLACED = re.compile(rf"\bthe ({THING}) is in the ({ROOM})\b")
_LIKED = re.compile(rf"\b({PERSON}) would like the ({THING})\b")
_LED = re.compile(rf"\b({PERSON}) gets orders from ({PERSON})\b")
_BEFORE = re.compile(rf"\bthe ({THING}) is before the ({THING})\b")


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
    following: Mapping[str, str] = field(default_factory=_nothing)
    """Thing -> the thing after it, in a row."""

    def statements(self) -> list[str]:
        return [
            *(place_statement(*fact) for fact in self.place.items()),
            *(favourite_statement(*fact) for fact in self.favourite.items()),
            *(boss_statement(*fact) for fact in self.boss.items()),
            *(following_statement(*fact) for fact in self.following.items()),
        ]

    def pieces(self, count: int) -> list["Facts"]:
        """The same facts in up to `count` parts."""
        kinds = ("place", "favourite", "boss", "following")
        every = [(kind, fact) for kind in kinds for fact in getattr(self, kind).items()]
        parts = [every[start::count] for start in range(min(count, len(every)))]
        return [Facts(**{kind: dict(fact for of, fact in part if of == kind) for kind in kinds}) for part in parts]

    def followed_by(self, later: "Facts") -> "Facts":
        """These and `later` ones, which replace those of the same subject."""
        return Facts(
            {**self.place, **later.place},
            {**self.favourite, **later.favourite},
            {**self.boss, **later.boss},
            {**self.following, **later.following},
        )


def place_statement(thing: str, room: str) -> str:
    return f"the {thing} is in the {room}"


def favourite_statement(person: str, thing: str) -> str:
    return f"{person} would like the {thing}"


def boss_statement(person: str, boss: str) -> str:
    return f"{person} gets orders from {boss}"


def following_statement(thing: str, following: str) -> str:
    return f"the {thing} is before the {following}"


def told(texts: Iterable[str]) -> Facts:
    """The facts in what was said, oldest first. Texts are normalised."""
    place: dict[str, str] = {}
    favourite: dict[str, str] = {}
    boss: dict[str, str] = {}
    following: dict[str, str] = {}
    for text in texts:
        place.update(_PLACED.findall(text))
        favourite.update(_LIKED.findall(text))
        boss.update(_LED.findall(text))
        following.update(_BEFORE.findall(text))
    return Facts(place, favourite, boss, following)
