"""What is answered at once: phrases that are the whole of what was said, and answers with live values in them.

A phrase never matches a part of a sentence, so nothing that merely begins like a greeting is mistaken for one.
"""

from __future__ import annotations

import re
import string
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import msgspec

from runtime import config, paths

SHIPPED = "configs/patterns.yaml"

SLOTS = ("time", "date", "weekday", "state", "atp")
"""Live values that an answer may name in braces."""

_SPOKEN = re.compile(r"[a-z]+(?:'[a-z]+)?(?: [a-z]+(?:'[a-z]+)?)*")
_WORD = re.compile(r"\w+(?:'\w+)*")


class Pattern(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    name: Annotated[str, msgspec.Meta(min_length=1)]
    phrases: Annotated[tuple[str, ...], msgspec.Meta(min_length=1)]
    answer: str

    def __post_init__(self) -> None:
        for phrase in self.phrases:
            if not _SPOKEN.fullmatch(phrase):
                raise ValueError(f"{phrase!r} must be lower-case words with single spaces: the ears recognise it too")
        for slot in _slots(self.answer):
            if slot not in SLOTS:
                raise ValueError(f"the answer names no live value by {{{slot}}}{config.suggest(slot, SLOTS)}")


class PatternFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    patterns: tuple[Pattern, ...]

    def __post_init__(self) -> None:
        owner: dict[str, str] = {}
        for pattern in self.patterns:
            for phrase in pattern.phrases:
                if phrase in owner:
                    raise ValueError(f"{phrase!r} of {pattern.name} already belongs to {owner[phrase]}")
                owner[phrase] = pattern.name


class Patterns:
    """A checked set of patterns. Matching is one dictionary look-up."""

    def __init__(self, patterns: tuple[Pattern, ...]) -> None:
        self.patterns = patterns
        self._by_phrase = {phrase: pattern for pattern in patterns for phrase in pattern.phrases}

    def match(self, text: str) -> Pattern | None:
        """The pattern of which `text` is a phrase, whole."""
        return self._by_phrase.get(normalised(text))

    @property
    def phrases(self) -> list[str]:
        return list(self._by_phrase)


def load(path: Path | str = SHIPPED) -> Patterns:
    """The patterns in the file at `path`; a relative path may lie below the install. Raises `ConfigError`."""
    given = Path(path).expanduser()
    return Patterns(config.load(given if given.exists() else paths.shipped(str(path)), PatternFile).patterns)


def phrases(path: Path | str = SHIPPED) -> list[str]:
    """Every phrase, as the ears' grammar needs them."""
    return load(path).phrases


def fill(answer: str, values: Mapping[str, str]) -> str:
    """`answer` with its slots replaced; a value that nobody knows is said to be unknown."""
    return answer.format_map({slot: values.get(slot, "unknown") for slot in SLOTS})


def normalised(text: str) -> str:
    """Lower-case words joined by single spaces, without punctuation."""
    return " ".join(_WORD.findall(text.lower().replace("’", "'")))


def _slots(answer: str) -> list[str]:
    try:
        return [slot for _, slot, _, _ in string.Formatter().parse(answer) if slot is not None]
    except ValueError as error:
        raise ValueError(f"the answer {answer!r}: {error}; write {{{{ and }}}} for braces that are meant") from error
