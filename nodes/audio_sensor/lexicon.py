"""How words are pronounced: the part of the dictionary that comes with pocketsphinx which our words need.

A line of the dictionary is a word and its phones (`kitchen K IH CH AH N`); variants are numbered (`the(2) DH IY`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from nodes.audio_sensor.errors import UnknownWords

Pronunciations = Mapping[str, list[str]]
"""Word → its pronunciations, each a string of phones with spaces between."""

_WORD = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)*'?|\S*\d\S*")
_VARIANT = re.compile(r"\(\d+\)$")


def words_of(line: str) -> list[str]:
    """The words of a line of text as the dictionary writes them: lower case, apostrophes kept, punctuation dropped.

    What has a digit in it stays one word, and no dictionary knows it: text for the ear spells its numbers out.
    """
    return _WORD.findall(line.lower().replace("\N{RIGHT SINGLE QUOTATION MARK}", "'"))


def pronounce(words: Iterable[str], dictionary: Path, further: Mapping[str, str]) -> dict[str, list[str]]:
    """The pronunciations of `words`, from the dictionary file and from `further` (word → phones), which comes first.

    UnknownWords lists all that neither knows.
    """
    wanted = set(words)
    found: dict[str, list[str]] = {word: [further[word]] for word in sorted(wanted) if word in further}
    with dictionary.open(encoding="utf-8") as lines:
        for line in lines:
            entry, _, phones = line.strip().partition(" ")
            word = _VARIANT.sub("", entry)
            if word in wanted and phones not in found.get(word, ()):
                found.setdefault(word, []).append(phones)
    if missing := sorted(wanted - found.keys()):
        shown = ", ".join(missing[:20]) + (f" and {len(missing) - 20} more" if len(missing) > 20 else "")
        raise UnknownWords(
            f"nobody told how to pronounce {shown}",
            place=str(dictionary),
            remedy="spell numbers out, choose other words, or add their phones to pronunciations in configs/voice.yaml",
            detail={"words": missing},
        )
    return found


def dictionary_lines(pronunciations: Pronunciations) -> list[str]:
    """The lines of a dictionary file."""
    return [
        f"{word}{f'({variant})' if variant > 1 else ''} {phones}"
        for word in sorted(pronunciations)
        for variant, phones in enumerate(pronunciations[word], start=1)
    ]


def read_dictionary(lines: Iterable[str]) -> dict[str, str]:
    """Entry, variants by their number (`the(2)`) → phones."""
    return dict(line.strip().split(" ", 1) for line in lines if line.strip())
