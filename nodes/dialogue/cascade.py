"""Whether an answer stands, or the next level takes over. Values in, decisions out.

A verifier has no say in it: in the world nobody knows the right answer beforehand. What it finds is the outcome that
the ledger learns from.
"""

from __future__ import annotations

from dataclasses import dataclass

from nodes.dialogue.choice import Candidate
from protocol.messages.dialogue import LevelTried
from protocol.messages.model import Generated
from runtime.verifiers import Verdict

CUT = {"length": "cut at its limit of tokens", "deadline": "cut by its deadline", "cancelled": "cancelled"}
"""Reasons to stop that leave an answer unfinished."""


@dataclass(frozen=True)
class Attempt:
    """What one level answered, and what a verifier that knows the question makes of it."""

    level: Candidate
    generated: Generated
    seconds: float
    """From the call to its reply."""
    verifier: str = ""
    verdict: Verdict | None = None
    calibrated: float | None = None
    """Chance that the answer is right, where this version's confidence is calibrated."""

    @property
    def confidence(self) -> float:
        """The best that is known of how sure one may be of the answer."""
        return self.generated.confidence if self.calibrated is None else self.calibrated


@dataclass(frozen=True)
class Decision:
    accept: bool
    why: str


def judge(
    attempt: Attempt,
    following: Candidate | None,
    *,
    asked_for: bool,
    time_left: bool,
    stands_at: float | None = None,
    refused: str = "",
) -> Decision:
    """Whether the attempt stands. `following` is the level that could go on, `asked_for` that no other may.

    `refused`: why there is no energy for `following`, where that was asked.
    `stands_at`: calibrated confidence at which going on is not worth its price; without a calibration the level's own
    `accept_at` holds.
    """
    doubt = _doubt(attempt, stands_at)
    if not doubt and following is None and not asked_for:
        return Decision(True, f"there is no larger level ({attempt.confidence:.2f})")
    if not doubt:
        return Decision(True, f"confident ({attempt.confidence:.2f})")
    if asked_for:
        return Decision(True, f"{doubt}, but this level was asked for")
    if following is None:
        return Decision(True, f"{doubt}, but there is no larger level")
    if not time_left:
        return Decision(True, f"{doubt}, but no time is left for {following.name}")
    if refused:
        return Decision(True, f"{doubt}, but there is no energy for {following.name} ({refused})")
    return Decision(False, f"{doubt}; {following.name} goes on")


def tried(attempt: Attempt, decision: Decision) -> LevelTried:
    """The attempt as the answer reports it."""
    generated = attempt.generated
    return LevelTried(
        level=attempt.level.name,
        model=generated.model,
        version=generated.version,
        confidence=attempt.confidence,
        tokens_reused=generated.tokens_reused,
        tokens_computed=generated.tokens_computed,
        tokens_generated=generated.tokens_generated,
        seconds=attempt.seconds,
        cpu_s=generated.cpu_s,
        accepted=decision.accept,
        why=decision.why,
    )


def cut(attempt: Attempt) -> str:
    """Why the answer is unfinished; empty where it is whole."""
    return CUT.get(attempt.generated.stop_reason, "")


def _doubt(attempt: Attempt, stands_at: float | None) -> str:
    """What speaks against the attempt; empty where nothing does."""
    generated = attempt.generated
    if not generated.text.strip():
        return "it said nothing"
    if reason := cut(attempt):
        return f"it was {reason}"
    wanted = attempt.level.accept_at if attempt.calibrated is None or stands_at is None else stands_at
    if attempt.confidence < wanted:
        return f"not confident enough ({attempt.confidence:.2f} of {wanted:.2f})"
    return ""
