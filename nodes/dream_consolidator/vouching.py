"""What the ledger is told of learned weights before they have answered anybody. Pure."""

from __future__ import annotations

from protocol.messages.dream import Adapter, DreamCompleted
from protocol.messages.trust import Outcome

LEDGER = "trust_ledger"
VALIDATION = "validation"
UNKNOWN_CONTEXT = "unknown"


def validation(completed: DreamCompleted, promoted: Adapter) -> Outcome | None:
    """What the weights showed on held-out questions, as one outcome; the ledger caps what it is worth. None of none."""
    count = sum(result.questions for result in completed.results)
    if not count:
        return None
    return Outcome(
        exchange=f"dream/{completed.dream}",
        session="",
        level=completed.level,
        model="",
        version=f"adapter {promoted.digest}",
        context=UNKNOWN_CONTEXT,
        score=sum(result.after * result.questions for result in completed.results) / count,
        source=VALIDATION,
        count=count,
        adapter=promoted.digest,
    )
