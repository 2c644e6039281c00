"""A real worker that is killed midway through an answer: what it had spent is billed to the exchange all the same."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from protocol.errors import CalleeLost
from protocol.messages.dialogue import Ask
from protocol.messages.metabolism import Books, BooksRequest
from runtime.power import costs
from runtime.power.costs import Cost, Costs, LevelCosts
from tests.fabric import PATIENCE_S, Fabric, fabric
from tests.process.dialogue.test_node import dialogue
from tests.process.model_worker.conftest import NODE, write_levels
from tests.unit.model_worker import tiny

CONTROLLER, WORKER = "metabolic_controller", "model_worker/sensory"
TOLD = 5
"""Pieces of the answer that are heard before the worker is killed; with each at least one token."""


@pytest.mark.slow
async def test_what_a_killed_worker_had_spent_is_billed_by_the_tokens_that_came(tmp_path: Path) -> None:
    model = tiny.save(tmp_path / "small", max_position_embeddings=8000, eos_token_id=None)
    second_a_token = LevelCosts(
        model="m",
        version="v",
        device="cpu",
        source="cpu",
        measured_ns=1,
        load=Cost(cpu_s=0.0),
        answer=Cost(cpu_s=0.0),
        prefill=Cost(cpu_s=0.0),
        decode=Cost(cpu_s=1000.0),
        characters_per_token=4.0,
        max_new_tokens=1,
    )
    async with fabric() as system:
        costs.save(system.state_dir / costs.FILE, Costs(levels={"sensory": second_a_token}))
        await system.node("nodes.metabolic_controller.node", CONTROLLER)
        await system.node(NODE, WORKER, {"level": "small", "levels": str(write_levels(tmp_path, model))})
        await dialogue(system)
        heard = await heard_of_a_killed_answer(system)
        assert heard >= TOLD
        books = await until_given_back(system)
        assert books.problem == ""
        assert books.balances["spent/exchange"] >= heard * 500_000, "half an ATP for each second of a processor"
        loads = [one.count for one in books.moved if one.target == "spent/load"]
        assert loads == [3], "the process, the import of the engine, the load"


async def heard_of_a_killed_answer(system: Fabric) -> int:
    """How many pieces came of an answer whose worker was killed after some of them."""
    request = Ask(text="what is two ?", session="s", level="sensory", max_new_tokens=7000)
    heard = 0
    try:
        async with system.client.stream("dialogue", request, deadline=PATIENCE_S) as parts:
            async for _ in parts:
                heard += 1
                if heard == TOLD:
                    system.kill(WORKER)
    except CalleeLost:
        return heard
    raise AssertionError("it answered to the end")


async def until_given_back(system: Fabric) -> Books:
    async with asyncio.timeout(PATIENCE_S):
        while True:
            books: Books = await system.client.call(CONTROLLER, BooksRequest(), deadline=PATIENCE_S)
            if books.balances.get("spent/exchange") and not books.held:
                return books
            await asyncio.sleep(0.02)
