"""What an exchange leaves behind in the true ledger, as dialogue tells it."""

from __future__ import annotations

import asyncio

from protocol.messages.dialogue import Feedback
from protocol.messages.trust import EntryExplained, ExplainEntry, VerifyRequest
from tests.fabric import PATIENCE_S, Fabric
from tests.process.dialogue.test_node import ask, dialogue, stand_in, system
from tests.process.trust_ledger.test_node import MODULE, NAME

__all__ = ["system"]


async def test_an_answer_is_r6_until_its_asker_judges_it_and_a_changed_mind_is_one_more(system: Fabric) -> None:
    await system.node(MODULE, NAME)
    await stand_in(system, "worker", "model_worker/sensory")
    await dialogue(system)

    async def explained(entry: int) -> EntryExplained:
        return await system.client.call(NAME, ExplainEntry(entry=str(entry)), deadline=PATIENCE_S)

    async with system.client.events("trust/recorded") as events, asyncio.timeout(PATIENCE_S):
        answer = await ask(system, "what do owls eat", level="sensory")
        told = await explained((await anext(events)).body.entry)
        assert (told.kind, told.action.result.verifier, told.action.result.delivered) == ("r6", "confidence", True)
        assert told.action.reference.trace == answer.trace
        for value, outcome in ((0.0, "unexpected failure"), (1.0, "success")):
            feedback = Feedback(exchange=answer.exchange, value=value)
            await system.client.call("dialogue", feedback, deadline=PATIENCE_S)
            judged = await explained((await anext(events)).body.entry)
            assert (judged.kind, judged.action.request.what) == ("r7", "judgement")
            assert (judged.action.reputation.outcome, judged.action.result.verifier) == (outcome, "user")
            assert judged.action.reputation.subject == told.action.role.subject
            assert judged.action.resource.tokens_out == 0, "what it cost was told before"
    assert (await system.client.call(NAME, VerifyRequest(), deadline=PATIENCE_S)).ok
