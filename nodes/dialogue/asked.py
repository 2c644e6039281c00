"""What is known of a question before anybody has answered it, for belief to go by. Values in, values out."""

from __future__ import annotations

from nodes.dialogue.conversation import PER_TURN, Conversation
from nodes.dialogue.deliveries import UNKNOWN_CONTEXT, Finished
from nodes.dialogue.replays import Asked
from nodes.trust_ledger.features import Query
from protocol.messages.context import Classified
from protocol.messages.dialogue import Ask


def query(ask: Ask, classified: Classified | None, before: Conversation) -> Query:
    """`ask` as it is asked after `before`; the outcomes of its answers are told of the same (`deliveries`)."""
    return Query(
        context=str(classified.context) if classified else UNKNOWN_CONTEXT,
        cluster=classified.cluster if classified else -1,
        words=len(ask.text.split()),
        depth=len(before.messages) // PER_TURN,
        session=ask.session,
    )


def again(finished: Finished) -> Asked | None:
    """An answered question with all that it takes to ask it again; None where no model was asked."""
    answer = finished.answer
    if finished.chosen is None:
        return None
    kind = Query(
        context=str(answer.context or UNKNOWN_CONTEXT),
        cluster=finished.classified.cluster if finished.classified else -1,
        words=len(answer.question.split()),
        depth=sum(message.role == "assistant" for message in finished.messages),
        session=answer.session,
    )
    return Asked(exchange=answer.exchange, query=kind, messages=list(finished.messages))
