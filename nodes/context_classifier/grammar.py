"""What an utterance does, as its small words show it: asks, tells, denies, or begins to take something back."""

from __future__ import annotations

import re
from dataclasses import dataclass

from nodes.context_classifier.small_words import (
    AUXILIARIES,
    CONTRACTED,
    DETERMINERS,
    INTERROGATIVES,
    PREPOSITIONS,
    SUBJECTS,
    is_content,
    negates,
    numbers_joined,
    words_of,
)

_OPENERS = re.compile(
    r"(?:(?:please|tell me|yes|well|now|ok|okay|oh|hey|and|so|then|again|listen|remember(?: that)?|note(?: that)?"
    r"|as i said|i (?:think|said|know)(?: that)?)\b[\s,.!]*)+"
)
_REPAIR = re.compile(
    r"(?:oh\b[\s,.!]*)?(?:(?:no|nope|wait|sorry|actually|rather|instead|correction|not|i meant?|pardon|hold on"
    r"|make that|(?:that|this)(?:'s| is| was) (?:wrong|not (?:right|true))|i (?:made a mistake|was wrong))\b[\s,.!:]*)+"
)
"""With these one begins to take something back; whether one does is seen by what follows."""
_DENIAL = re.compile(r"\b(?:wrong|mistake|not (?:right|true))\b")
"""A repair that says so denies, though nothing follows. A `no` alone may answer what was asked."""


@dataclass(frozen=True)
class Reading:
    """An utterance as its small words show it."""

    words: tuple[str, ...]
    """Lower case, without openers and without what announces a repair."""
    verb: int
    """Position of the finite verb in `words`; -1 where none was made out."""
    asks: bool
    denies: bool
    repairs: bool
    """It begins as one does who takes something back."""

    @property
    def tells(self) -> bool:
        return self.verb >= 0 and not self.asks


def read(text: str) -> Reading:
    said = text.lower().replace("’", "'").strip()
    opener = _OPENERS.match(said)
    rest = said[opener.end() :] if opener and opener.end() < len(said) else said
    repair = _REPAIR.match(rest)
    if repair:
        rest = rest[repair.end() :]
    words = tuple(numbers_joined(words_of(rest)))
    asks = said.rstrip().endswith("?") or _asks(words)
    return Reading(
        words=words,
        verb=-1 if asks else finite_verb(words),
        asks=asks,
        denies=_denies(words, repair[0] if repair else ""),
        repairs=repair is not None,
    )


def _denies(words: tuple[str, ...], repair: str) -> bool:
    return sum(map(negates, words)) % 2 == 1 if words else _DENIAL.search(repair) is not None


def clauses(words: tuple[str, ...]) -> list[tuple[str, ...]]:
    """The parts that `and` joins, where each has a finite verb of its own; otherwise the whole."""
    parts: list[list[str]] = [[]]
    for word in words:
        if word == "and":
            parts.append([])
        else:
            parts[-1].append(word)
    found = [tuple(part) for part in parts]
    return found if len(found) > 1 and all(finite_verb(part) >= 0 for part in found) else [words]


def finite_verb(words: tuple[str, ...]) -> int:
    """Where the verb of a statement stands; -1 where none is made out, as in orders and fragments.

    An auxiliary behind its subject; the word behind a pronoun; or a word with the ending of a third person or of the
    past behind a word with a meaning of its own. A bare past (`tom put`) is not made out.
    """
    for at, word in enumerate(words):
        if word in CONTRACTED or (word in AUXILIARIES and at):
            return at
    if len(words) > 1 and words[0] in SUBJECTS:
        return 1
    for at in range(1, len(words)):
        ending = words[at].endswith(("s", "ed")) and is_content(words[at])
        if ending and is_content(words[at - 1]) and (at == 1 or words[at - 2] in DETERMINERS | PREPOSITIONS):
            return at
    return -1


def _asks(words: tuple[str, ...]) -> bool:
    if len(words) < 2:
        return any(word in INTERROGATIVES for word in words)
    if words[0] in AUXILIARIES or any(word in INTERROGATIVES for word in words):
        return True
    return len(words) > 2 and words[1] in AUXILIARIES and words[2] in SUBJECTS and words[0] not in SUBJECTS
