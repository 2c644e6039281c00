"""A pattern, the file of patterns, and which of them answers a sentence.

A pattern comes with examples, of what it answers and of what it must not, and no set of patterns is ever in force whose
examples do not hold. Words of courtesy may stand around every phrase: `sage what time is it please`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Annotated

import msgspec

from nodes.dialogue.patterns import live
from nodes.dialogue.patterns.live import Filled, LiveValues, Piece
from nodes.dialogue.patterns.phrases import PIECE, Captured, PhraseTree, expanded, slots_of
from nodes.dialogue.patterns.rules import Learning
from nodes.dialogue.patterns.slots import Slot, SlotSpec
from nodes.dialogue.patterns.words import plain_words
from runtime import config, paths

SHIPPED = "configs/patterns.yaml"
MOST_HEARD = 200
"""Sentences that the grammar of the ears may have: with 600 it took ten times as long as with 60."""
PROVED = 200
"""Sentences of a phrase that are tried when it is read, and that the ears' language model learns."""

Text = Annotated[str, msgspec.Meta(min_length=1)]
Some = Annotated[tuple[Text, ...], msgspec.Meta(min_length=1)]


class Pattern(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    name: Text
    phrases: Some
    """Lower-case words, and slots by their names in braces."""
    answer: str
    """May name slots that all phrases have, and live values: see `live`."""
    missing: str = ""
    """Said where a live value that the answer names is not known; empty: a sentence that names it."""
    heard: bool = True
    """Whether the grammar of the ears has its phrases; else their language model learns them. The grammar is surer and
    faster, as long as it is small: it is for what is said often, and for slots of few words."""
    positive: Some
    """Sentences that it answers."""
    negative: Some
    """Sentences that it must not answer, however near they come."""

    def __post_init__(self) -> None:
        for phrase in self.phrases:
            if not all(PIECE.fullmatch(piece) for piece in phrase.split(" ")):
                raise ValueError(
                    f"{phrase!r} must be lower-case words with single spaces, or slots such as {{minutes}}: the ears "
                    "recognise it too"
                )
            if len(set(slots_of(phrase))) < len(slots_of(phrase)):
                raise ValueError(f"{phrase!r} has the same slot twice")


class Courtesy(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Words that may stand around a phrase without changing what it asks."""

    before: tuple[Text, ...] = ()
    after: tuple[Text, ...] = ()


class PatternFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    patterns: tuple[Pattern, ...]
    slots: dict[str, SlotSpec] = {}
    courtesy: Courtesy = Courtesy()
    learning: Learning = Learning()
    """When a question that is always answered alike is proposed as a pattern."""

    def __post_init__(self) -> None:
        Patterns.of(self)


@dataclass(frozen=True)
class Match:
    """The pattern that answers, and what stood in its slots."""

    name: str
    pieces: tuple[Piece, ...]
    missing: str = ""
    captured: Mapping[str, Captured] = field(default_factory=dict)

    def filled(self, now: LiveValues) -> Filled:
        return live.fill(self.pieces, self.captured, now, self.missing)


class Patterns:
    """A checked set of patterns. What they match is found word by word in a tree."""

    def __init__(self, patterns: Sequence[Pattern], slots: Mapping[str, Slot], courtesy: Courtesy) -> None:
        """ValueError names what cannot be meant, or the example that does not hold."""
        self.patterns = tuple(patterns)
        self.slots = slots
        self.courtesy = courtesy
        self._tree: PhraseTree[Pattern] = PhraseTree()
        self._before, self._after = _by_word(courtesy.before, 0), _by_word(courtesy.after, -1)
        self._longest = 0
        self._pieces = {pattern.name: self._added(pattern) for pattern in patterns}
        if len(self._pieces) < len(patterns):
            names = [pattern.name for pattern in patterns]
            raise ValueError(f"the name {next(name for name in names if names.count(name) > 1)!r} is given twice")
        for pattern in patterns:
            self._prove(pattern)

    @classmethod
    def of(cls, file: PatternFile, learned: Sequence[Pattern] = ()) -> Patterns:
        """What a file says, and what was learned."""
        patterns = cls((*file.patterns, *learned), _slots(file.slots), file.courtesy)
        if len(patterns.phrases) > MOST_HEARD:
            raise ValueError(
                f"the grammar of the ears would have {len(patterns.phrases)} sentences, at most {MOST_HEARD} are good; "
                "give patterns with wide slots `heard: false`"
            )
        return patterns

    def match(self, text: str) -> Match | None:
        """The pattern of which `text` is a sentence, whole."""
        if len(text) > self._longest:
            return None
        words = plain_words(text)
        if not words:
            return None
        for core in self._bare(words):
            found = self._tree.find(core)
            if found is not None:
                pattern, captured = found
                return Match(pattern.name, self._pieces[pattern.name], pattern.missing, captured)
        return None

    @cached_property
    def phrases(self) -> list[str]:
        """Every sentence for the grammar of the ears, slots spelled out."""
        heard = [phrase for pattern in self.patterns if pattern.heard for phrase in pattern.phrases]
        return list(dict.fromkeys(sentence for phrase in heard for sentence in expanded(phrase, self.slots)))

    @cached_property
    def sentences(self) -> list[str]:
        """Those of the other patterns, for the ears' language model; of wide slots, some."""
        others = [phrase for pattern in self.patterns if not pattern.heard for phrase in pattern.phrases]
        spelled = (islice(expanded(phrase, self.slots), PROVED) for phrase in others)
        return list(dict.fromkeys(sentence for sentences in spelled for sentence in sentences))

    def _bare(self, words: list[str]) -> Iterator[list[str]]:
        """The words as they are, then without what courtesy put before and after them."""
        fronts = [0, *(len(each) for each in self._before.get(words[0], ()) if words[: len(each)] == each)]
        backs = [0, *(len(each) for each in self._after.get(words[-1], ()) if words[-len(each) :] == each)]
        for front in fronts:
            for back in backs:
                if front + back < len(words):
                    yield words[front : len(words) - back]

    def _added(self, pattern: Pattern) -> tuple[Piece, ...]:
        named = [set(slots_of(phrase)) for phrase in pattern.phrases]
        for name in sorted(set.union(*named)):
            if name not in self.slots:
                raise ValueError(f"{pattern.name}: no slot {name!r} is declared{config.suggest(name, self.slots)}")
        for phrase in pattern.phrases:
            for written in dict.fromkeys((phrase, phrase.replace("'", ""))):
                self._add(written, pattern)
        common = {name: self.slots[name] for name in set.intersection(*named)}
        try:
            return live.parse(pattern.answer, common)
        except ValueError as error:
            raise ValueError(f"{pattern.name}: {error}") from error

    def _add(self, phrase: str, pattern: Pattern) -> None:
        owner = self._tree.add(phrase, self.slots, pattern)
        if owner is not None:
            raise ValueError(f"{phrase!r} of {pattern.name} already belongs to {owner.name}")
        room = max((len(form) for name in slots_of(phrase) for form in self.slots[name].forms), default=0)
        around = _length(self.courtesy.before) + _length(self.courtesy.after)
        # Twice over leaves place for punctuation. What is longer still is a long text, not a phrase written carelessly.
        self._longest = max(self._longest, 2 * (len(phrase) + room * len(slots_of(phrase)) + around) + 16)

    def _prove(self, pattern: Pattern) -> None:
        for phrase in pattern.phrases:
            for sentence in islice(expanded(phrase, self.slots), PROVED):
                self._expect(pattern, sentence, f"the phrase {phrase!r}, said as {sentence!r},")
        for example in pattern.positive:
            self._expect(pattern, example, f"the positive example {example!r}")
        for example in pattern.negative:
            if (found := self.match(example)) is not None and found.name == pattern.name:
                raise ValueError(f"{pattern.name}: it answers the negative example {example!r}")

    def _expect(self, pattern: Pattern, sentence: str, what: str) -> None:
        found = self.match(sentence)
        if found is None or found.name != pattern.name:
            raise ValueError(f"{pattern.name}: {what} is answered by {found.name if found else 'no pattern'}")


def load(path: Path | str = SHIPPED) -> Patterns:
    """The patterns in the file at `path`; a relative path may lie below the install. Raises `ConfigError`."""
    return Patterns.of(read(path))


def read(path: Path | str = SHIPPED) -> PatternFile:
    return config.load(paths.located(path), PatternFile)


def phrases(path: Path | str = SHIPPED) -> list[str]:
    """Every sentence of the shipped patterns, as the ears' grammar needs them.

    Patterns that were learned are not among them: the ears know how to pronounce a fixed set of words. They are heard
    as anything else is said, and matched in the text.
    """
    return load(path).phrases


def sentences(path: Path | str = SHIPPED) -> list[str]:
    """Sentences of the shipped patterns that are not in the grammar, for the ears' language model."""
    return load(path).sentences


def _slots(specs: Mapping[str, SlotSpec]) -> dict[str, Slot]:
    for name in specs:
        if not (name.isalpha() and name.islower()):
            raise ValueError(f"slots: {name!r} must be lower-case letters only")
        if name in live.LIVE:
            raise ValueError(f"slots: {name!r} is the name of a live value")
    return {name: spec.slot() for name, spec in specs.items()}


def _by_word(sayings: tuple[str, ...], at: int) -> dict[str, list[list[str]]]:
    """Sayings as lists of words, by their first (`at` 0) or last (-1) word."""
    found: dict[str, list[list[str]]] = {}
    for words in (saying.split() for saying in sayings):
        found.setdefault(words[at], []).append(words)
    return found


def _length(sayings: tuple[str, ...]) -> int:
    return max((len(saying) for saying in sayings), default=0)
