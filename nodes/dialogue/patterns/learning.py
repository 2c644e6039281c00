"""When a question that is always answered alike may become a pattern. Values in, values out.

A pattern answers whoever asks, whenever and after whatever was said. So a question becomes one only if its answer has
been shown to depend on nothing else:

- on the conversation: it was the same after different things had been said. Whether the subject had come up before is
  counted apart (`related`): the answer to "where is the cup" is the same everywhere until somebody says where it is;
- on time: it was the same on different days;
- on a live value: the answer did not name one of them, as it stood at the moment, every time it was given;
- on chance or on who answers: any other answer, and any correction, ends the count. The same model that answers
  otherwise shows that the answer depends on something; only another version of it begins anew.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from enum import StrEnum

import msgspec

from nodes.dialogue.patterns.rules import MOST_MARKS, Shown
from nodes.dialogue.patterns.words import normalised, plain_words
from protocol.messages.trust import TrustTable

FEWEST_QUESTIONS = 50
"""Known questions from which on it can be said which words are rare."""
RARE = 0.05
"""Share of the known questions in which a rare word occurs at most."""


class Standing(StrEnum):
    WATCHED = "watched"
    PROPOSED = "proposed"
    ACCEPTED = "accepted"
    REJECTED = "rejected"


class Occurrence(msgspec.Struct, frozen=True, kw_only=True):
    """A question that was answered."""

    question: str
    """Words in lower case, without punctuation."""
    answer: str
    level: str
    """Which gave the answer; empty where one was given again that holds since before."""
    version: str
    trusted: bool
    """Whether the level is trusted here."""
    session: str
    """A digest of the conversation, as the next two are digests."""
    occasion: str
    """Of the conversation and the day: one that goes on for weeks is another every day."""
    ground: str
    """Of what was said before; empty where the same question was: a model may say again what it reads it said."""
    day: str
    at_ns: int
    related: bool
    """Whether what was said before had touched the subject."""
    named: frozenset[str]
    """Live values that the answer names as they stand."""


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """How a question has been answered."""

    question: str
    answer: str = ""
    level: str = ""
    version: str = ""
    times: int = 0
    sessions: tuple[str, ...] = ()
    occasions: tuple[str, ...] = ()
    grounds: tuple[str, ...] = ()
    days: tuple[str, ...] = ()
    related: int = 0
    named: frozenset[str] = frozenset()
    """Live values that every answer named."""
    first_ns: int = 0
    last_ns: int = 0
    against: str = ""
    """Why it can be no pattern as long as this version answers."""
    standing: Standing = Standing.WATCHED


def noted(record: Record | None, seen: Occurrence) -> Record:
    """The record with one more answer in it."""
    known = record or Record(question=seen.question)
    if known.standing in (Standing.ACCEPTED, Standing.REJECTED):
        return known  # somebody has decided
    if known.times and seen.answer == known.answer:
        return _counted(known, seen) if seen.trusted or not seen.level else known
    if known.times and (seen.level, seen.version) == (known.level, known.version):
        return against(known, "the same model has answered otherwise: the answer depends on something")
    if not seen.level or not seen.trusted:
        return known if known.against else Record(question=seen.question)
    if known.against and (seen.level, seen.version) == (known.level, known.version):
        return known
    anew = Record(question=seen.question)
    return _counted(msgspec.structs.replace(anew, answer=seen.answer, level=seen.level, version=seen.version), seen)


def against(record: Record, why: str) -> Record:
    """It is none, and no proposal any more; what was counted is void."""
    if record.standing is Standing.REJECTED:
        return record
    standing = Standing.WATCHED if record.standing is Standing.PROPOSED else record.standing
    return Record(
        question=record.question,
        answer=record.answer,
        level=record.level,
        version=record.version,
        against=why,
        standing=standing,
    )


def without(record: Record, session: str) -> Record:
    """The record as if one answer fewer had been given, and none in this conversation; a proposal has to rise anew."""
    sessions = tuple(one for one in record.sessions if one != session)
    standing = Standing.WATCHED if record.standing is Standing.PROPOSED else record.standing
    return msgspec.structs.replace(record, sessions=sessions, times=max(0, record.times - 1), standing=standing)


def lacking(record: Record, rule: Shown) -> list[str]:
    """What has still to be shown before the rule holds; empty: it does."""
    if record.against:
        return [record.against]
    found = [f"the answer names {name} as it stands" for name in sorted(record.named)]
    words = plain_words(record.question)
    if not words or not all(word.replace("'", "").isalpha() and word.isascii() for word in words):
        found.append("a phrase consists of words only")
    if not record.answer.strip():
        found.append("there is no answer")
    for what, shown, wanted in (
        ("answers", record.times, rule.times),
        ("conversations", len(record.occasions), rule.sessions),
        ("different grounds", len(record.grounds), rule.grounds),
        ("days", len(record.days), rule.days),
        ("answers after its subject had come up", record.related, rule.related),
    ):
        if shown < wanted:
            found.append(f"{shown} of {wanted} {what}")
    return found


def evidence(record: Record) -> str:
    """What has been shown, in words."""
    shown = (
        f"the answer of {record.level}, and the same {record.times} times in {len(record.occasions)} conversations, "
        f"on {len(record.grounds)} different grounds and {len(record.days)} days"
    )
    if record.related:
        return f"{shown}, {record.related} times after its subject had come up"
    return f"{shown}; never after its subject had come up, so it may yet depend on what is told"


def trusted(table: TrustTable, level: str, version: str, context: str, at: float) -> bool:
    """Whether the lower end of the interval of the level's success in this context reaches `at`."""
    return any(
        row.low >= at for row in table.rows if (row.level, row.version, row.context) == (level, version, context)
    )


def related(question: str, before: Iterable[str], common: Mapping[str, int], questions: int) -> bool:
    """Whether a rare word of the question was said in what came before, in anything but the same question.

    `common`: word → number of known questions with it, of `questions` in all. While few are known no word counts as
    rare, and nothing as related.
    """
    if questions < FEWEST_QUESTIONS:
        return False
    rare = {word for word in question.split() if common.get(word, 0) <= RARE * questions}
    said = (normalised(text) for text in before)
    return any(rare & set(text.split()) for text in said if text != question)


def word_counts(questions: Iterable[str]) -> Counter[str]:
    return Counter(word for question in questions for word in set(question.split()))


def naming(answer: str, values: Mapping[str, str]) -> frozenset[str]:
    """The live values, by name → as they are said now, that an answer names."""
    padded = f" {normalised(answer)} "
    return frozenset(name for name, value in values.items() if f" {normalised(value)} " in padded)


def _counted(record: Record, seen: Occurrence) -> Record:
    return msgspec.structs.replace(
        record,
        times=record.times + 1,
        sessions=_with(record.sessions, seen.session),
        occasions=_with(record.occasions, seen.occasion),
        grounds=_with(record.grounds, seen.ground) if seen.ground else record.grounds,
        days=_with(record.days, seen.day),
        related=record.related + seen.related,
        named=record.named & seen.named if record.times else seen.named,
        first_ns=record.first_ns or seen.at_ns,
        last_ns=seen.at_ns,
    )


def _with(marks: tuple[str, ...], mark: str) -> tuple[str, ...]:
    return marks if mark in marks or len(marks) >= MOST_MARKS else (*marks, mark)
