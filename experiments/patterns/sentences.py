"""Sentences with what a pattern should make of them: written by hand (`traps.yaml`), and varied by rule. Pure.

Variations of a sentence that is to be answered: capitals, punctuation, spacing. Variations that are not to be
answered any more: a further word before or after, the first word gone, an embedding into another sentence. A variation
that is itself written down as an answered sentence keeps what is written.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from experiments.reference.curriculum import questions
from experiments.reference.skills import rows
from experiments.reference.split import Split
from nodes.dialogue.patterns import normalised
from runtime import config

HAND = Path(__file__).parent / "traps.yaml"
NOTHING = ""
TALK = "talk"
"""The one skill of the curriculum whose questions are greetings and thanks: patterns may answer these."""

_COURTEOUS = ("sage", "please", "hey")
_EMBEDDED = (
    "translate {} into french",
    "what does {} mean",
    "he said {} and left",
    "{} but not now",
    "{} is what tom said",
    "{} and then tell me about paris",
    "why do people say {}",
    "do not {}",
    "the word {}",
    "{} tom",
    "is it true that {}",
    "print({})",
)


class Written(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    near_misses: tuple[str, ...]
    positives: dict[str, tuple[str, ...]]


@dataclass(frozen=True)
class Sentence:
    text: str
    pattern: str
    """Name of the pattern that should answer; empty: none may."""
    origin: str
    """`hand`, `varied` or `curriculum`"""


def by_hand() -> list[Sentence]:
    written = config.load(HAND, Written)
    return [
        *(Sentence(text, NOTHING, "hand") for text in written.near_misses),
        *(Sentence(text, name, "hand") for name, texts in written.positives.items() for text in texts),
    ]


def varied(hand: list[Sentence]) -> list[Sentence]:
    """What follows from the answered sentences by rule, once each."""
    answered = [sentence for sentence in hand if sentence.pattern]
    meant = {normalised(sentence.text): sentence.pattern for sentence in answered}
    found: dict[str, Sentence] = {}
    for sentence in answered:
        for text in _alike(sentence.text):
            found.setdefault(text, Sentence(text, sentence.pattern, "varied"))
        for text in _other(sentence.text):
            found.setdefault(text, Sentence(text, meant.get(normalised(text), NOTHING), "varied"))
    return list(found.values())


def of_the_curriculum(seed: int, count: int) -> list[Sentence]:
    """Held-out and taught questions that a model should answer, `count` a row and side."""
    return [
        Sentence(question.messages[-1].content, NOTHING, "curriculum")
        for split in Split
        for skill, difficulty in rows()
        if skill != TALK
        for question in questions(split, skill, difficulty, seed, count)
    ]


def _alike(text: str) -> Iterator[str]:
    bare = text.rstrip(".!?")
    yield text.upper()
    yield text.lower()
    yield f"  {bare}  "
    yield f"{bare}?!"
    yield f"{bare} …"
    yield text.replace(" ", "   ")
    yield bare.replace("'", "’")


def _other(text: str) -> Iterator[str]:
    core = " ".join(word for word in normalised(text).split() if word not in _COURTEOUS)
    for frame in _EMBEDDED:
        yield frame.format(core)
    yield f"{core} {core}"
    if len(core.split()) > 3:
        yield core.partition(" ")[2]
