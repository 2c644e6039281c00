"""At a moment that matters the worker that answered is asked to keep the conversation as it stands."""

from __future__ import annotations

import asyncio
import json
import re

from runtime import paths
from tests.fabric import PATIENCE_S, Fabric
from tests.process.dialogue.test_node import ask, dialogue, stand_in, system

__all__ = ["system"]


async def test_the_worker_that_answered_keeps_the_conversation(system: Fabric) -> None:
    shipped = paths.shipped("configs/dialogue.yaml").read_text()
    everything = system.state_dir / "everything.yaml"
    everything.write_text(re.sub(r"salience: 0\.85", "salience: 0.0", shipped))
    assert everything.read_text() != shipped
    await stand_in(system, "worker", "model_worker/sensory")
    await system.node("nodes.context_classifier.node", "context_classifier")
    await dialogue(system, config=str(everything))
    asked = await ask(system, "why is the sky blue", session="talk")
    file = system.state_dir / "marked.jsonl"
    async with asyncio.timeout(PATIENCE_S):
        while not file.exists() or not file.read_text().endswith("\n"):
            await asyncio.sleep(0.02)
    (marked,) = map(json.loads, file.read_text().splitlines())
    assert (marked["worker"], marked["session"], marked["label"]) == ("model_worker/sensory", "talk", asked.exchange)
    assert marked["why"].startswith("it mattered: salience ")
