"""Sentences out of text that is still being written. Pure."""

from __future__ import annotations

import re

LONGEST = 240
"""Characters after which even a sentence without an end is spoken, up to its last comma or space."""

_END = re.compile(r"(?:[.!?…]+[\"'”’)\]]*(?=\s)|\n)\s*")
_ABBREVIATIONS = frozenset({"mr", "mrs", "ms", "dr", "prof", "st", "vs", "etc", "e.g", "i.e", "approx", "fig"})
_LAST_WORD = re.compile(r"([^\W\d_](?:[\w.]*\w)?)\.$")
_PAUSES = (", ", "; ", ": ", " ")


class Sentences:
    """Feed it text as it comes; it gives back each sentence as soon as its end is certain."""

    def __init__(self) -> None:
        self._rest = ""

    def feed(self, text: str) -> list[str]:
        self._rest += text
        found: list[str] = []
        begin = 0
        for end in _END.finditer(self._rest):
            candidate = self._rest[begin : end.end()].strip()
            if "\n" in end.group() or not _abbreviated(candidate):
                found.append(candidate)
                begin = end.end()
        self._rest = self._rest[begin:]
        while len(self._rest) > LONGEST:
            cut = _pause_before(self._rest, LONGEST)
            found.append(self._rest[:cut].strip())
            self._rest = self._rest[cut:]
        return [sentence for sentence in found if _has_word(sentence)]

    def finish(self) -> list[str]:
        """The text is complete: what is left is a sentence."""
        rest, self._rest = self._rest.strip(), ""
        return [rest] if _has_word(rest) else []


def _abbreviated(sentence: str) -> bool:
    """Whether the stop at the end belongs to the last word: `Dr.`, `e.g.`, an initial."""
    last = _LAST_WORD.search(sentence)
    if last is None:
        return False
    word = last[1].lower()
    return word in _ABBREVIATIONS or (len(word) == 1 and last[1].isupper() and last[1] != "I")


def _pause_before(text: str, limit: int) -> int:
    """Where to cut: behind the last comma before `limit`, else behind the last space, else there."""
    for pause in _PAUSES:
        at = text.rfind(pause, limit // 2, limit)
        if at >= 0:
            return at + len(pause)
    return limit


def _has_word(text: str) -> bool:
    return any(character.isalnum() for character in text)
