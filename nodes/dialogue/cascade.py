"""Whether an answer stands, or the next level takes over. Values in, decisions out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from nodes.dialogue.choice import Candidate
from protocol.messages.dialogue import LevelTried
from protocol.messages.model import Generated
from runtime.verifiers import Verdict

RIGHT = 0.5
"""Score at and above which a verifier holds an answer for right."""

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


@dataclass(frozen=True)
class Decision:
    accept: bool
    why: str


def judge(attempt: Attempt, following: Candidate | None, *, asked_for: bool, time_left: bool) -> Decision:
    """Whether the attempt stands. `following` is the level that could go on, `asked_for` that no other may."""
    doubt = _doubt(attempt)
    if not doubt:
        return Decision(True, _assurance(attempt))
    if asked_for:
        return Decision(True, f"{doubt}, but this level was asked for")
    if following is None:
        return Decision(True, f"{doubt}, but there is no larger level")
    if not time_left:
        return Decision(True, f"{doubt}, but no time is left for {following.name}")
    return Decision(False, f"{doubt}; {following.name} goes on")


def stand(attempts: Sequence[Attempt]) -> Attempt:
    """The attempt to answer with: the one a verifier scores best, else the last. ValueError without any."""
    if not attempts:
        raise ValueError("nothing was attempted")
    judged = [attempt for attempt in attempts if attempt.verdict is not None]
    best = max(judged, key=lambda attempt: attempt.verdict.score if attempt.verdict else 0.0, default=None)
    if best is not None and best.verdict is not None and best.verdict.score >= RIGHT:
        return best
    return attempts[-1]


def tried(attempt: Attempt, decision: Decision) -> LevelTried:
    """The attempt as the answer reports it."""
    generated = attempt.generated
    return LevelTried(
        level=attempt.level.name,
        model=generated.model,
        version=generated.version,
        confidence=generated.confidence,
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


def _doubt(attempt: Attempt) -> str:
    """What speaks against the attempt; empty where nothing does. A verdict outweighs the model's own confidence."""
    if attempt.verdict is not None:
        wrong = attempt.verdict.score < RIGHT
        return f"{attempt.verifier} holds it for wrong ({attempt.verdict.score:.2f})" if wrong else ""
    generated = attempt.generated
    if not generated.text.strip():
        return "it said nothing"
    if reason := cut(attempt):
        return f"it was {reason}"
    if generated.confidence < attempt.level.accept_at:
        return f"not confident enough ({generated.confidence:.2f} of {attempt.level.accept_at:.2f})"
    return ""


def _assurance(attempt: Attempt) -> str:
    if attempt.verdict is not None:
        return f"{attempt.verifier} holds it for right ({attempt.verdict.score:.2f})"
    return f"confident ({attempt.generated.confidence:.2f})"
