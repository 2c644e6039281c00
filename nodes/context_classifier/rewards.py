"""How an exchange turned out, as it becomes known: who may say so, and what a next turn lets one think.

Whoever has more authority overrules: a person, then a verifier, then the next turn: a correction, then a question asked
again, then neither.
"""

from __future__ import annotations

import re

USER, CORRECTION, REPETITION, UNCORRECTED = "user", "correction", "repetition", "uncorrected"
"""Sources; every other name is a verifier's."""

_AUTHORITY = {USER: 4, CORRECTION: 2, REPETITION: 1, UNCORRECTED: 0}
_VERIFIER = 3

_REJECTS = re.compile(
    r"(?:(?:oh |but |well )?(?:no|nope|nah)(?:$| (?:no|not|that|thats|it|its|this|you|i|he|she|they|we|the|there|wrong|"
    r"sorry|actually|never)\b)"
    r"|(?:that|thats|this|it|its|you|youre|your answer|the answer)(?: is| are| was)? "
    r"(?:wrong|not (?:right|correct|true|it|what i)|incorrect|false|mistaken|nonsense)\b"
    r"|(?:wrong|incorrect|false|not (?:right|correct|true))\b"
    r"|(?:i (?:said|meant|asked)|i did not (?:say|mean|ask))\b)"
)


def authority(source: str) -> int:
    """The greater overrules, the equal replaces."""
    return _AUTHORITY.get(source, _VERIFIER)


def judges(source: str) -> bool:
    """Whether it says how right the answer was, rather than that nobody complained."""
    return authority(source) > _AUTHORITY[UNCORRECTED]


def correction(text: str) -> float:
    """How much the words reject what was answered before them, 0..1: they say so, first of all."""
    words = " ".join(re.findall(r"[a-z]+", text.lower().replace("'", "").replace("’", "")))
    return 1.0 if _REJECTS.match(words) else 0.0
