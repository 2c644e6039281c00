"""When two exchanges say the same in nearly the same words. Pure.

Word triples (shingles; Broder 1997) are compared by the share that both have (Jaccard), and found by MinHash in bands:
four of its 32 values make a band, one band of eight in common makes a candidate, whose words are then compared
themselves. Shingles alone would call "17 plus 25" and "17 plus 26" alike as soon as enough stands around them. So
numbers, negations and signs must be the same in the same order, and the sentence that asks the same word for word.
"""

from __future__ import annotations

import hashlib
import re
import struct
from collections.abc import Collection, Sequence
from typing import NamedTuple

from protocol.messages.model import ChatMessage

_SHINGLE = 3
_LANES, _BAND = 32, 4
_TOKEN = re.compile(r"[0-9]+(?:[.,:/][0-9]+)*|\w+|[^\w\s]")
_SENTENCE_END = re.compile(r"[.!?…。！？](?=\s|$)|\n")
_PUNCTUATION = frozenset(".,;:!?…\"'()“”„‘’«»")
_SHORTENED = (
    (re.compile(r"\bcan['’]t\b"), "can not"),
    (re.compile(r"\bwon['’]t\b"), "will not"),
    (re.compile(r"n['’]t\b"), " not"),
    (re.compile(r"['’]re\b"), " are"),
    (re.compile(r"['’]ll\b"), " will"),
    (re.compile(r"['’]ve\b"), " have"),
    (re.compile(r"['’]m\b"), " am"),
    (re.compile(r"['’]s\b"), " is"),
)
_PARTICULAR_WORDS = (
    "no not never none nor neither nobody nothing without zero one two three four five six seven eight nine ten eleven "
    "twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen twenty thirty forty fifty sixty seventy "
    "eighty ninety hundred thousand million billion half quarter dozen"
)
_PARTICULAR = frozenset(_PARTICULAR_WORDS.split())

_ROLES = frozenset(["<system>", "<user>", "<assistant>", "<tool>"])


class Form(NamedTuple):
    """What is compared of an exchange: the turns before, the question, the answer."""

    parts: tuple[tuple[str, ...], ...]
    """Their words, without those that are not heard."""
    asked: tuple[str, ...]
    """The words of the question's last sentence."""
    particulars: tuple[tuple[str, ...], ...]
    """Numbers, negations and signs of each part, in their order."""

    def shingles(self) -> tuple[frozenset[tuple[str, ...]], ...]:
        return tuple(_shingles(part) for part in self.parts)


def form(messages: Sequence[ChatMessage], answer: str, unheard: Collection[str]) -> Form:
    """`messages` end with the question. `unheard` are words without which a sentence says the same."""
    before = [word for each in messages[:-1] for word in (f"<{each.role}>", *words(each.content, unheard))]
    question = messages[-1].content
    sentences = [words(sentence, unheard) for sentence in _SENTENCE_END.split(question)]
    asked = next((sentence for sentence in reversed(sentences) if sentence), ())
    parts = (tuple(before), words(question, unheard), words(answer, unheard))
    return Form(parts, asked, tuple(tuple([word for word in part if _particular(word)]) for part in parts))


def words(text: str, unheard: Collection[str]) -> tuple[str, ...]:
    """Words, numbers and signs without case, punctuation, and what is not heard. English shortenings are written out.

    Where nothing else is said, what is not heard counts.
    """
    text = text.casefold()
    for shortened, full in _SHORTENED if "'" in text or "’" in text else ():
        text = shortened.sub(full, text)
    found = [word for word in _TOKEN.findall(text) if word not in _PUNCTUATION]
    return tuple([word for word in found if word not in unheard] or found)


def alike(first: Form, second: Form, share: float) -> bool:
    """Whether the two say the same: `share` of all shingles in common, part by part, and nothing particular differs."""
    if first.asked != second.asked or first.particulars != second.particulars:
        return False
    pairs = zip(first.shingles(), second.shingles(), strict=True)
    return all(jaccard(one, other) >= share for one, other in pairs)


def jaccard(one: frozenset[tuple[str, ...]], other: frozenset[tuple[str, ...]]) -> float:
    union = len(one | other)
    return len(one & other) / union if union else 1.0


def bands(each: Form, secret: bytes) -> list[int]:
    """Eight numbers of 63 bits; two forms that are `alike` have one in common with a chance of 1 − (1 − s⁴)⁸.

    `s` is the share of shingles of question and answer that both have: for 0.8 the chance is 98.5%. What must be the
    same anyway is part of every number, so that hardly anything else has one in common. Keyed: without the secret
    nobody finds words from them.
    """
    lanes = [
        _LANES_OF.unpack(_keyed(secret, f"{number}\n" + "\n".join(shingle), 2 * _LANES))
        for number, part in enumerate(each.shingles()[1:])
        for shingle in part
    ]
    least = [min(lane) for lane in zip(*lanes, strict=True)]
    same = _keyed(secret, f"{each.asked}{each.particulars}", 32).hex()
    return [
        int.from_bytes(_keyed(secret, f"{start}:{least[start : start + _BAND]}{same}", 8), "big") >> 1
        for start in range(0, _LANES, _BAND)
    ]


_LANES_OF = struct.Struct(f"<{_LANES}H")


def _keyed(secret: bytes, text: str, size: int) -> bytes:
    data = text.encode("utf-8", "surrogatepass")
    return hashlib.blake2b(data, key=secret, digest_size=size, person=b"sage/near").digest()


def _shingles(part: Sequence[str]) -> frozenset[tuple[str, ...]]:
    if len(part) <= _SHINGLE:
        return frozenset([tuple(part)] if part else [])
    return frozenset(tuple(part[start : start + _SHINGLE]) for start in range(len(part) - _SHINGLE + 1))


def _particular(word: str) -> bool:
    return word in _PARTICULAR or not (word.isalpha() or word in _ROLES)
