"""What is learned of an answer after it was given reaches whoever learns from it, through the true sense of context."""

from __future__ import annotations

import asyncio

import pytest

from protocol.errors import BadRequest
from protocol.messages.context import ExchangeScored, ScoreConversation
from protocol.messages.dialogue import Feedback
from tests.fabric import PATIENCE_S, Fabric
from tests.process.dialogue.test_node import ask, delivered, dialogue, stand_in, system

__all__ = ["system"]


async def test_a_person_and_the_next_turn_say_how_an_exchange_turned_out(system: Fabric) -> None:
    await stand_in(system, "worker", "model_worker/sensory")
    await stand_in(system, "recorder", "dream_consolidator")
    await system.node("nodes.context_classifier.node", "context_classifier")
    await dialogue(system)
    async with system.client.events("exchange/scored") as events, asyncio.timeout(PATIENCE_S):

        async def scored(exchange: str, source: str) -> ExchangeScored:
            while True:
                body = (await anext(events)).body
                if (body.exchange, body.outcome_source) == (exchange, source):
                    return body

        first = await ask(system, "why is the sky blue")
        assert (await scored(first.exchange, "")).revision == 0
        second = await ask(system, "no that is wrong")
        corrected = await scored(first.exchange, "correction")
        assert (corrected.revision, corrected.outcome, corrected.session) == (1, 0.0, "default")
        await scored(second.exchange, "")
        taken = await system.client.call("dialogue", Feedback(exchange=first.exchange[:20], value=1.0), deadline=5)
        assert (taken.exchange, taken.question) == (first.exchange, "why is the sky blue")
        praised = await scored(first.exchange, "user")
        assert (praised.revision, praised.outcome) == (2, 1.0)
        assert praised.snarc.reward > corrected.snarc.reward
        told = {f"revise {first.exchange}=0.0@correction", f"revise {first.exchange}=1.0@user"}
        while not told <= set(delivered(system, "dream_consolidator")):
            await asyncio.sleep(0.02)
        worth = await system.client.call("context_classifier", ScoreConversation(session="default"), deadline=5)
        assert worth.exchanges == 2
        with pytest.raises(BadRequest, match="no exchange 'never' is kept"):
            await system.client.call("dialogue", Feedback(exchange="never", value=1.0), deadline=5)
