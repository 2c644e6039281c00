"""What is answered, and why, as it is said to the asker and written down. Values in, values out."""

from __future__ import annotations

import msgspec

from nodes.dialogue import cascade
from nodes.dialogue.cascade import Attempt
from nodes.dialogue.deliveries import ASSUMPTION
from nodes.dialogue.exchange import Exchange
from nodes.dialogue.grounds import Recalled
from nodes.dialogue.patterns import Match
from nodes.dialogue.ports import Outlook
from nodes.dialogue.spending import Rates
from nodes.dialogue.turn import Turn
from protocol.messages.dialogue import Answer

PATTERN = "pattern"
WRONG = 0.5
"""Verdict below which an answer counts as wrong."""


def of_model(turn: Turn, chosen: Attempt, outlook: Outlook, rates: Rates) -> Answer:
    """What a model said, and what became of each attempt."""
    cut = cascade.cut(chosen)
    answer = _answer(
        turn.exchange,
        outlook,
        turn.exchange.said.strip(),
        answered_by=chosen.level.name,
        why=_why(turn, cut),
        confidence=chosen.confidence,
    )
    return msgspec.structs.replace(
        answer,
        tried=[cascade.tried(attempt, decision) for attempt, decision in turn.attempts],
        atp=sum(rates.atp(one.cpu_s, one.joules) for one in turn.spent),
        score=chosen.verdict.score if chosen.verdict else None,
        verifier=chosen.verifier,
        complete=not cut,
    )


def of_pattern(exchange: Exchange, outlook: Outlook, pattern: Match) -> Answer:
    """What was said by a pattern."""
    why = f"pattern {pattern.name}"
    return _answer(exchange, outlook, exchange.said, answered_by=PATTERN, why=why, confidence=1.0)


def of_assumption(exchange: Exchange, outlook: Outlook, recalled: Recalled, atp_per_cpu_s: float) -> Answer:
    """What was said again, as it was said before."""
    answer = _answer(
        exchange,
        outlook,
        exchange.said.strip(),
        answered_by=ASSUMPTION,
        why=recalled.grounds,
        confidence=recalled.confidence,
    )
    return msgspec.structs.replace(answer, atp=atp_per_cpu_s * recalled.cpu_s)


def found_wrong(chosen: Attempt) -> str:
    """The verifier that found the answer wrong, if one did."""
    return chosen.verifier if chosen.verdict is not None and chosen.verdict.score < WRONG else ""


def _answer(
    exchange: Exchange, outlook: Outlook, text: str, *, answered_by: str, why: str, confidence: float
) -> Answer:
    """What every answer says, whoever gave it."""
    ask, classified, metabolic = exchange.ask, exchange.classified, outlook.metabolic
    return Answer(
        exchange=exchange.ident,
        session=ask.session,
        question=ask.text,
        text=text,
        answered_by=answered_by,
        why="; ".join([why, *exchange.notes]),
        context=classified.context if classified else None,
        snarc=classified.snarc if classified else None,
        confidence=confidence,
        metabolic_state=str(metabolic.state) if metabolic else "",
        metabolic_number=metabolic.number if metabolic else 0,
        stages=list(exchange.stages),
        trace=exchange.trace,
    )


def _why(turn: Turn, cut: str) -> str:
    """Why this level, then what became of each attempt."""
    steps = [f"{attempt.level.name}: {decision.why}" for attempt, decision in turn.attempts]
    return ". ".join([f"{turn.choice.level}: {turn.choice.why}", *steps, *([cut] if cut else [])])
