"""What a finished exchange owes the other nodes, as requests. Values in, values out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from nodes.dialogue.cascade import Attempt, Decision, cut
from nodes.dialogue.choice import Choice
from nodes.dialogue.outbox import Delivery
from nodes.dialogue.patterns import normalised
from nodes.dialogue.spending import Rates, Spent, bill, of
from protocol.messages.context import Classified, Context, ExchangeScored, Reward, ScoreExchange, Snarc
from protocol.messages.dialogue import Answer
from protocol.messages.dream import Keep, Revise
from protocol.messages.metabolism import Settle
from protocol.messages.model import ChatMessage
from protocol.messages.trust import Judge, Outcome

TRUST, CONTEXT, DREAM, METABOLISM = "trust_ledger", "context_classifier", "dream_consolidator", "metabolic_controller"
DESTINATIONS = (TRUST, CONTEXT, DREAM, METABOLISM)

USER, CORRECTION, REPETITION, UNCORRECTED = "user", "correction", "repetition", "uncorrected"
"""Who says how an exchange turned out, beside verifiers: a person, or the next turn, which lets one think so."""

ASSUMPTION = "assumption"
"""Who answered, where an answer was given again."""

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
    cpu_s: float = 0.0
    """Processor seconds spent where no model was asked, if they count."""
    failures: int = 0
    """Levels that gave no answer."""
    hindsight: Reward | None = None
    """What this exchange lets one think of the one before it."""
    atp_per_joule: float = 0.0
    staked: float = 0.0
    """ATP that was held before the first level was asked."""
    choice: Choice | None = None
    """Which level was to begin, and why."""
    lost: Sequence[Spent] = ()
    """What answers took that died with their workers."""

    @property
    def rates(self) -> Rates:
        return Rates(self.atp_per_cpu_s, self.atp_per_joule)


def deliveries(finished: Finished) -> list[Delivery]:
    """An outcome for each level tried, the exchange to be scored and then kept for learning, its cost to be settled."""
    exchange = finished.answer.exchange
    if finished.chosen is None:
        return [Delivery(METABOLISM, exchange, _bill(finished))] if finished.cpu_s else []
    outcomes = [
        Delivery(TRUST, f"{exchange}/{attempt.level.name}", _outcome(finished, number))
        for number, (attempt, _) in enumerate(finished.attempts)
    ]
    lesson = Delivery(DREAM, exchange, _lesson(finished, finished.chosen))
    return [
        *outcomes,
        *(rewarding(finished.hindsight, f"{exchange}/before") if finished.hindsight else ()),
        Delivery(CONTEXT, exchange, _to_score(finished), then=lesson),
        Delivery(METABOLISM, exchange, _bill(finished)),
    ]


def following(delivery: Delivery, reply: Any) -> Delivery | None:
    """What is to be delivered after `delivery` was answered with `reply`: a lesson knows its salience by then."""
    then = delivery.then
    if then is None or not isinstance(reply, ExchangeScored):
        return then
    if isinstance(then.request, Revise):
        revised = _revised(then.request, reply)
        stands = reply.outcome_source == then.request.source
        return Delivery(then.destination, then.key, revised, then.then if stands else None) if revised else None
    return Delivery(then.destination, then.key, msgspec.structs.replace(then.request, snarc=reply.snarc), then.then)


def rewarding(reward: Reward, key: str) -> list[Delivery]:
    """How an exchange turned out: to be scored anew, and then told to whoever keeps it to learn from.

    The ledger hears of what somebody said or took back, and of what was asked again only where nothing surer is known;
    that nobody took it back says too little of who answered.
    """
    revise = Revise(exchange=reward.exchange, score=reward.value, source=reward.source)
    judge = Judge(
        exchange=reward.exchange, score=reward.value, source=reward.source, judgement=f"{reward.value:g}"
    )  # a changed mind is another judgement, the same said again is none
    judged = Delivery(TRUST, key, judge)
    told = Delivery(DREAM, key, revise, then=judged if reward.source == REPETITION else None)
    scored = Delivery(CONTEXT, key, reward, then=told)
    return [scored] if reward.source in (REPETITION, UNCORRECTED) else [scored, judged]


def _revised(revise: Revise, scored: ExchangeScored) -> Revise | None:
    """What stands of it once others were asked: somebody with more authority may have said otherwise.

    Where nobody remembers the exchange, only a person is believed, whom nobody overrules. None: nothing is to be told.
    """
    if not scored.known:
        return revise if revise.source == USER else None
    proved = scored.outcome_source != UNCORRECTED
    return Revise(
        exchange=revise.exchange,
        snarc=scored.snarc,
        score=scored.outcome if proved else None,
        source=scored.outcome_source,
    )


def judged(attempt: Attempt, chosen: Attempt) -> tuple[float, str]:
    """How right the attempt was, 0..1, and who says so.

    A verifier where one knew the question; else, for a level that another replaced, whether they said the same; else
    nothing better than its own confidence, which the ledger weighs accordingly.
    """
    if attempt.verdict is not None:
        return attempt.verdict.score, attempt.verifier
    if attempt is not chosen:
        return float(normalised(attempt.generated.text) == normalised(chosen.generated.text)), "cascade"
    return attempt.confidence, "confidence"


def _outcome(finished: Finished, number: int) -> Outcome:
    """Of attempt `number`."""
    attempt, _ = finished.attempts[number]
    answer, generated = finished.answer, attempt.generated
    score, source = judged(attempt, finished.chosen or attempt)
    override, chosen = _chosen(finished, number)
    return Outcome(
        exchange=answer.exchange,
        session=answer.session,
        level=attempt.level.name,
        model=generated.model,
        version=generated.version,
        context=str(answer.context or UNKNOWN_CONTEXT),
        score=score,
        source=source,
        confidence=attempt.confidence,
        tokens_in=generated.tokens_reused + generated.tokens_computed,
        tokens_out=generated.tokens_generated,
        seconds=attempt.seconds,
        cpu_s=generated.cpu_s,
        atp=finished.rates.atp(generated.cpu_s, generated.joules),
        joules=generated.joules,
        cluster=finished.classified.cluster if finished.classified else -1,
        words=len(answer.question.split()),
        depth=sum(message.role == "assistant" for message in finished.messages),
        trace=answer.trace,
        adapter=generated.adapter,
        stake=0.0 if number else finished.staked,
        delivered=bool(generated.text.strip()) and not cut(attempt),
        override=override,
        chosen=chosen,
    )


def _chosen(finished: Finished, number: int) -> tuple[str, str]:
    """What overruled the choice of this attempt's level, and why that level was asked."""
    choice, level = finished.choice, finished.attempts[number][0].level.name
    if choice is None:
        return "", ""
    if level == choice.level:
        return choice.overruled_by or "", choice.why
    if number:
        before, decision = finished.attempts[number - 1]
        return "", f"{before.level.name} was asked before: {decision.why}"
    return "", f"{choice.level} gave no answer; it was to answer for this reason: {choice.why}"


def _to_score(finished: Finished) -> ScoreExchange:
    answer = finished.answer
    smallest = finished.attempts[0][0]
    return ScoreExchange(
        exchange=answer.exchange,
        session=answer.session,
        question=answer.question,
        answer=answer.text,
        context=answer.context or Context.NOVEL,
        confidence=answer.confidence,
        score=answer.score,
        levels_tried=len(finished.attempts),
        verifier=answer.verifier,
        input_nll=smallest.generated.input_nll,
        reply_nll=smallest.generated.reply_nll,
        input_excess=smallest.generated.input_excess,
        reply_peak=smallest.generated.reply_peak,
        nll_level=smallest.level.name,
        disagreement=_disagreement(finished),
        failures=finished.failures,
        complete=answer.complete,
    )


def _disagreement(finished: Finished) -> float:
    """How sure the surest level was that said something else than the answer."""
    return max(
        (
            attempt.generated.confidence
            for attempt, _ in finished.attempts
            if normalised(attempt.generated.text) != normalised(finished.answer.text)
        ),
        default=0.0,
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
        ids=list(chosen.generated.ids),
    )


def _bill(finished: Finished) -> Settle:
    return bill(
        finished.answer.exchange,
        [*(of(attempt.generated) for attempt, _ in finished.attempts), *finished.lost],
        finished.rates,
        other_cpu_s=finished.cpu_s,
        salience=finished.classified.snarc.salience if finished.classified else 0.0,
    )


def unanswered(exchange: str, spent: Sequence[Spent], rates: Rates) -> Delivery:
    """What an exchange owes that came to nothing: its cost, which also gives back what was held for it."""
    return Delivery(METABOLISM, exchange, bill(exchange, spent, rates))
