"""Phrases as a tree of words and slots, in which only whole sentences are found.

A sentence is followed word by word from the root: a word of a phrase first, then the forms of the slots that may stand
there. What does not end where a phrase ends is no match, so nothing that merely begins like a phrase is taken for one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Generic, TypeVar

from nodes.dialogue.patterns.slots import Slot, Value

T = TypeVar("T")
PIECE = re.compile(r"[a-z]+(?:'[a-z]+)*|\{[a-z]+\}")
"""A word of a phrase, or a slot by its name in braces."""


@dataclass(frozen=True)
class Captured:
    """What stood in a slot."""

    words: str
    value: Value


@dataclass
class _Place(Generic[T]):
    words: dict[str, _Place[T]] = field(default_factory=dict)
    slots: list[tuple[str, Slot, _Place[T]]] = field(default_factory=list)
    end: T | None = None


class PhraseTree(Generic[T]):
    def __init__(self) -> None:
        self._root: _Place[T] = _Place()
        self.longest = 0
        """Words of the longest sentence."""

    def add(self, phrase: str, slots: Mapping[str, Slot], meant: T) -> T | None:
        """Let the phrase mean `meant`; what it meant already, if it did, which then stays."""
        place, length = self._root, 0
        for piece in phrase.split():
            if not piece.startswith("{"):
                place = place.words.setdefault(piece, _Place())
                length += 1
                continue
            name = piece[1:-1]
            found = next((at for known, _, at in place.slots if known == name), None)
            if found is None:
                found = _Place()
                place.slots.append((name, slots[name], found))
            place, length = found, length + slots[name].longest
        if place.end is None:
            place.end = meant
            self.longest = max(self.longest, length)
            return None
        return place.end

    def find(self, words: Sequence[str]) -> tuple[T, dict[str, Captured]] | None:
        """What the whole sentence means, and what stood in its slots."""
        if not words or len(words) > self.longest:
            return None
        return _follow(self._root, words, 0)


def expanded(phrase: str, slots: Mapping[str, Slot]) -> Iterator[str]:
    """Every sentence that the ears should expect of a phrase."""
    choices = [slots[piece[1:-1]].spoken if piece.startswith("{") else (piece,) for piece in phrase.split()]
    for pieces in product(*choices):
        yield " ".join(pieces)


def slots_of(phrase: str) -> list[str]:
    return [piece[1:-1] for piece in phrase.split() if piece.startswith("{")]


def _follow(place: _Place[T], words: Sequence[str], at: int) -> tuple[T, dict[str, Captured]] | None:
    """The first way through the rest of the words, from `at` on. Every slot has a bounded length, so it ends soon."""
    if at == len(words):
        return (place.end, {}) if place.end is not None else None
    following = place.words.get(words[at])
    if following is not None and (found := _follow(following, words, at + 1)):
        return found
    for name, slot, after in place.slots:
        for end in range(min(at + slot.longest, len(words)), at, -1):
            said = " ".join(words[at:end])
            value = slot.forms.get(said)
            if value is not None and (found := _follow(after, words, end)):
                found[1][name] = Captured(said, value)
                return found
    return None
