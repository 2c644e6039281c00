"""What was said, as words; and what is no plain sentence."""

from __future__ import annotations

import re

_WORD = re.compile(r"\w+(?:'\w+)*")
_NOT_PLAIN = re.compile(r"[()\[\]{}<>=+*/\\|_~^#@$%&`]|[-\N{MINUS SIGN}]\d|\d[.,]\d")
"""Signs of code, of arithmetic and of addresses, negative numbers and fractions."""
_SMILEY = re.compile(r"(?:^|\s)[:;]-?[()DP](?=[\s.!?…]|$)")


def normalised(text: str) -> str:
    """Lower-case words joined by single spaces, without punctuation."""
    return " ".join(_WORD.findall(text.lower().replace("’", "'")))


def plain_words(text: str) -> list[str] | None:
    """The words of a plain sentence in lower case, punctuation dropped; None where dropping it could change the sense.

    `stop()` is not "stop", and "in -5 minutes" is not "in 5 minutes".
    """
    if _NOT_PLAIN.search(text) and _NOT_PLAIN.search(_SMILEY.sub(" ", text)):
        return None
    return _WORD.findall(text.lower().replace("’", "'"))
