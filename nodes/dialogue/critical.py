"""What is said in such a way that a wrong answer would do harm: intents, each proved by its examples.

They are anchored as patterns are: a phrase is the whole of a sentence. Of a text with several sentences each is looked
at, so `Fire! What do I do?` is one, and `how do i light a fire` is none.
"""

from __future__ import annotations

import re

import msgspec

from nodes.dialogue.patterns.pattern import Courtesy, Pattern, PatternFile, Patterns, Some, Text
from nodes.dialogue.patterns.slots import SlotSpec
from runtime import config, paths

SHIPPED = "configs/critical.yaml"
_SENTENCE = re.compile(r"[.!?…]+(?=\s|$)|\n")


class Intent(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    name: Text
    """As a reason names it: `it is about a dose of medicine`."""
    phrases: Some
    """Lower-case words, and slots by their names in braces."""
    positive: Some
    """Texts that are of it."""
    negative: Some
    """Texts that are of no intent at all, however near they come."""


class CriticalFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    intents: tuple[Intent, ...] = ()
    slots: dict[str, SlotSpec] = {}
    courtesy: Courtesy = Courtesy()

    def __post_init__(self) -> None:
        Critical(self)


class Critical:
    """A checked set of intents."""

    def __init__(self, file: CriticalFile) -> None:
        """ValueError names what cannot be meant, or the example that does not hold."""
        self._patterns = Patterns.of(
            PatternFile(
                patterns=tuple(_anchored(intent) for intent in file.intents), slots=file.slots, courtesy=file.courtesy
            )
        )
        for intent in file.intents:
            self._prove(intent)

    def intent_of(self, text: str) -> str:
        """The first intent that a sentence of `text` is of; empty where none is."""
        found = (self._patterns.match(sentence) for sentence in _SENTENCE.split(text))
        return next((match.name for match in found if match), "")

    def _prove(self, intent: Intent) -> None:
        for example in intent.positive:
            if (found := self.intent_of(example)) != intent.name:
                taken = f"taken for {found}" if found else "not noticed"
                raise ValueError(f"{intent.name}: the positive example {example!r} is {taken}")
        for example in intent.negative:
            if found := self.intent_of(example):
                raise ValueError(f"{intent.name}: the negative example {example!r} is taken for {found}")


NOTHING = Critical(CriticalFile())
"""Knows no intent."""


def load(path: str = SHIPPED) -> Critical:
    """The intents in the file at `path`; a relative path may lie below the install. Raises `ConfigError`."""
    return Critical(config.load(paths.located(path), CriticalFile))


def _anchored(intent: Intent) -> Pattern:
    """As a pattern that answers nothing. `Critical` proves the examples, sentence by sentence."""
    return Pattern(name=intent.name, phrases=intent.phrases, answer="", heard=False, positive=(), negative=())
