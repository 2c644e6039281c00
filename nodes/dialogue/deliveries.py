"""What a finished exchange owes the other nodes, as requests. Values in, values out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from nodes.dialogue.cascade import Attempt, Decision
from nodes.dialogue.outbox import Delivery
from nodes.dialogue.patterns import normalised
from protocol.messages.context import Classified, Context, ExchangeScored, ScoreExchange, Snarc
from protocol.messages.dialogue import Answer
from protocol.messages.dream import Keep
from protocol.messages.metabolism import Settle
from protocol.messages.model import ChatMessage
from protocol.messages.trust import Outcome

TRUST, CONTEXT, DREAM, METABOLISM = "trust_ledger", "context_classifier", "dream_consolidator", "metabolic_controller"
DESTINATIONS = (TRUST, CONTEXT, DREAM, METABOLISM)

UNKNOWN_CONTEXT = "unknown"
"""Context of an exchange that nobody classified."""


@dataclass(frozen=True)
class Finished:
    """A finished exchange with everything that is known of it."""

    answer: Answer
    messages: Sequence[ChatMessage]
    """What the models were given; empty where none was asked."""
    attempts: Sequence[tuple[Attempt, Decision]]
    chosen: Attempt | None
    """The attempt that became the answer."""
    classified: Classified | None
    atp_per_cpu_s: float


def deliveries(finished: Finished) -> list[Delivery]:
    """An outcome for each level tried, the exchange to be scored and then kept for learning, its cost to be settled."""
    if finished.chosen is None:
        return []
    exchange = finished.answer.exchange
    outcomes = [
        Delivery(TRUST, f"{exchange}/{attempt.level.name}", _outcome(finished, attempt))
        for attempt, _ in finished.attempts
    ]
    lesson = Delivery(DREAM, exchange, _lesson(finished, finished.chosen))
    return [
        *outcomes,
        Delivery(CONTEXT, exchange, _to_score(finished), then=lesson),
        Delivery(METABOLISM, exchange, _bill(finished)),
    ]


def following(delivery: Delivery, reply: Any) -> Delivery | None:
    """What is to be delivered after `delivery` was answered with `reply`: a lesson knows its salience by then."""
    then = delivery.then
    if then is None or not isinstance(reply, ExchangeScored):
        return then
    return Delivery(then.destination, then.key, msgspec.structs.replace(then.request, snarc=reply.snarc), then.then)


def judged(attempt: Attempt, chosen: Attempt) -> tuple[float, str]:
    """How right the attempt was, 0..1, and who says so.

    A verifier where one knew the question; else, for a level that another replaced, whether they said the same; else
    nothing better than its own confidence, which the ledger weighs accordingly.
    """
    if attempt.verdict is not None:
        return attempt.verdict.score, attempt.verifier
    if attempt is not chosen:
        return float(normalised(attempt.generated.text) == normalised(chosen.generated.text)), "cascade"
    return attempt.generated.confidence, "confidence"


def _outcome(finished: Finished, attempt: Attempt) -> Outcome:
    answer, generated = finished.answer, attempt.generated
    score, source = judged(attempt, finished.chosen or attempt)
    return Outcome(
        exchange=answer.exchange,
        session=answer.session,
        level=attempt.level.name,
        model=generated.model,
        version=generated.version,
        context=str(answer.context or UNKNOWN_CONTEXT),
        score=score,
        source=source,
        confidence=generated.confidence,
        tokens_in=generated.tokens_reused + generated.tokens_computed,
        tokens_out=generated.tokens_generated,
        seconds=attempt.seconds,
        cpu_s=generated.cpu_s,
        atp=generated.cpu_s * finished.atp_per_cpu_s,
        cluster=finished.classified.cluster if finished.classified else -1,
        trace=answer.trace,
    )


def _to_score(finished: Finished) -> ScoreExchange:
    answer = finished.answer
    return ScoreExchange(
        exchange=answer.exchange,
        session=answer.session,
        question=answer.question,
        answer=answer.text,
        context=answer.context or Context.NOVEL,
        confidence=answer.confidence,
        score=answer.score,
        levels_tried=len(finished.attempts),
    )


def _lesson(finished: Finished, chosen: Attempt) -> Keep:
    answer = finished.answer
    return Keep(
        exchange=answer.exchange,
        session=answer.session,
        messages=list(finished.messages),
        answer=chosen.generated.text,
        level=chosen.level.name,
        version=chosen.generated.version,
        context=str(answer.context or UNKNOWN_CONTEXT),
        cluster=finished.classified.cluster if finished.classified else -1,
        snarc=finished.classified.snarc if finished.classified else Snarc(),
        score=answer.score,
        verifier=answer.verifier,
        confidence=answer.confidence,
    )


def _bill(finished: Finished) -> Settle:
    return Settle(
        ident=finished.answer.exchange,
        kind="exchange",
        cpu_s=sum(attempt.generated.cpu_s for attempt, _ in finished.attempts),
        salience=finished.classified.snarc.salience if finished.classified else 0.0,
    )
