"""One held-out question and how it was answered, before and after. Holds nothing that was said. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import msgspec

from protocol.messages.model import ChatMessage
from runtime.verifiers import Verifier, judge

AGREEMENT = "agreement with the teacher"
ACCEPTED = "agreement with an answer that was accepted"
LOOPS = 0.5
"""Share of repeated n-grams from which on an answer goes round in circles."""
_GRAM = 3


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    """One answer, judged."""

    right: bool
    judge: str
    """A verifier's name, `ACCEPTED` or `AGREEMENT`."""
    skill: str = ""
    """What the verifier recognised."""


class Manner(msgspec.Struct, frozen=True, kw_only=True):
    """How an answer was given, right or wrong."""

    tokens: int
    """The one that ends it included."""
    repeated: float
    """Share of its n-grams of tokens that it had said before, 0..1."""
    finished: bool
    """It came to an end of its own."""
    confidence: float
    """Probability of the least sure of its tokens: what its chance to be right is taken for here."""

    @property
    def astray(self) -> bool:
        """It found no end, or went round in circles."""
        return not self.finished or self.repeated >= LOOPS


class Trial(msgspec.Struct, frozen=True, kw_only=True):
    """One question, before and after."""

    stratum: str
    target: bool
    """It is of a stratum that was taught."""
    before: bool
    """What was in force before answered it right."""
    after: bool
    judge: str
    base: bool | None = None
    """The level's own model answered it right; None where that was in force before."""
    cluster: str = ""
    """Questions of one template, which stand and fall together, share it. Empty: this one stands alone."""
    before_manner: Manner | None = None
    after_manner: Manner | None = None


def judge_answer(
    verifiers: Iterable[Verifier], messages: Sequence[ChatMessage], answer: str, teacher: str, accepted: str = ""
) -> Judged | None:
    """By a verifier that knows the question; else by the answer that a person accepted; else by the teacher's.

    To agree is to say the very same, spacing and case aside. None where there is nothing to judge by.
    """
    found = judge(verifiers, messages, answer)
    if found is not None:
        name, verdict = found
        return Judged(right=verdict.score >= 0.5, judge=name, skill=verdict.skill)
    if accepted.strip():
        return Judged(right=_plain(answer) == _plain(accepted), judge=ACCEPTED)
    if teacher.strip():
        return Judged(right=_plain(answer) == _plain(teacher), judge=AGREEMENT)
    return None


def repeated_share(tokens: Sequence[int]) -> float:
    """Share of n-grams of tokens that came before in the same answer (1 − distinct-n, Li et al. 2016); 0 of none."""
    grams = Counter(tuple(tokens[start : start + _GRAM]) for start in range(len(tokens) - _GRAM + 1))
    return 1 - len(grams) / grams.total() if grams else 0.0


def _plain(text: str) -> str:
    return " ".join(text.split()).casefold()
