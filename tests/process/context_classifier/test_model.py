"""The sense of context beside a true model worker, whose model reads every utterance."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from nodes.context_classifier.awaited import EncoderUnavailable
from protocol.messages.context import Classified, Classify, Context, ExplainContext
from protocol.messages.metabolism import BooksRequest
from protocol.messages.node import Health, NodeState
from tests.fabric import PATIENCE_S, Fabric, fabric

NAME = "context_classifier"
WORKER = "model_worker/sensory"


@pytest.fixture
async def system(tmp_path: Path) -> AsyncIterator[Fabric]:
    config = tmp_path / "context.yaml"
    config.write_text("encoder: {name: model, level: sensory, wait: 500ms}\n")
    async with fabric() as made:
        await made.node("nodes.metabolic_controller.node", "metabolic_controller")
        await made.node("nodes.model_worker.node", WORKER, {"level": "sensory"})
        await made.node("nodes.context_classifier.node", NAME, {"config": str(config)})
        yield made


async def classify(system: Fabric, text: str) -> Classified:
    found: Classified = await system.client.call(NAME, Classify(text=text, session="s"), deadline=PATIENCE_S)
    return found


async def read(system: Fabric, text: str) -> Classified:
    """As soon as there is a vector: what is refused was not learned."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            try:
                return await classify(system, text)
            except EncoderUnavailable:
                await asyncio.sleep(0.02)


async def health(system: Fabric, state: NodeState) -> Health:
    async with asyncio.timeout(PATIENCE_S):
        while True:
            for record in await system.records():
                if record.name == NAME and record.state is state and record.health:
                    return record.health
            await asyncio.sleep(0.02)


async def test_a_model_reads_utterances_and_while_it_does_not_they_are_refused_and_that_is_said(
    system: Fabric,
) -> None:
    assert (await read(system, "where is the cup")).context is Context.NOVEL
    assert (await read(system, "where is the cup")).context is Context.STABLE
    explained = await system.client.call(NAME, ExplainContext(text="where is the cup", session="s"), deadline=60)
    assert (explained.encoder, explained.turns) == ("model", 2)

    system.kill(WORKER, signal.SIGSTOP)
    with pytest.raises(EncoderUnavailable, match="no vector of the text"):
        await classify(system, "is it in the hall")
    said = await health(system, NodeState.DEGRADED)
    assert "no vectors from the encoder model" in said.reason

    system.kill(WORKER, signal.SIGCONT)
    await read(system, "who does tom work for")
    await health(system, NodeState.READY)
    explained = await system.client.call(NAME, ExplainContext(text="where is the cup", session="s"), deadline=60)
    assert explained.turns == 3, "what was refused was not learned"

    async with asyncio.timeout(PATIENCE_S):
        while True:
            books = await system.client.call("metabolic_controller", BooksRequest(), deadline=PATIENCE_S)
            if books.balances.get("spent/embedding", 0) > 0:
                return
            await asyncio.sleep(0.02)
