"""The sense of context as a process: what it learned outlives it, and a damaged memory is moved aside and said."""

from __future__ import annotations

import asyncio
import sys

import pytest

from protocol.messages.context import Classify, Context, ExplainContext, ScoreExchange
from protocol.messages.node import NodeState
from tests.fabric import PATIENCE_S, Fabric, fabric

NAME = "context_classifier"
MODULE = "nodes.context_classifier.node"
SHOW = "from nodes.context_classifier.commands import explain; explain()"


@pytest.fixture
async def system():
    async with fabric() as made:
        yield made


async def classify(system: Fabric, text: str):
    return await system.client.call(NAME, Classify(text=text, session="s"), deadline=PATIENCE_S)


async def test_what_was_learned_outlives_the_process(system: Fabric) -> None:
    await system.node(MODULE, NAME)
    async with system.client.events("context/classified") as said:
        first = await classify(system, "where is the cup")
        assert (await anext(said)).body == first
    assert first.context is Context.NOVEL
    scoring = ScoreExchange(
        exchange="e", session="s", question="where is the cup", answer="a", context=Context.NOVEL, confidence=0.5
    )
    scored = await system.client.call(NAME, scoring, deadline=PATIENCE_S)
    assert scored.snarc.novelty == 1
    await system.end(NAME)
    await system.node(MODULE, NAME)
    second = await classify(system, "where is the cup")
    assert (second.context, second.cluster) == (Context.STABLE, first.cluster)
    assert await system.client.call(NAME, scoring, deadline=PATIENCE_S) == scored


async def test_explaining_teaches_nothing(system: Fabric) -> None:
    await system.node(MODULE, NAME)
    asked = ExplainContext(text="where is the cup", session="s")
    first = await system.client.call(NAME, asked, deadline=PATIENCE_S)
    assert (first.context, first.nearest, first.turns) == (Context.NOVEL, -1, 0)
    assert await system.client.call(NAME, asked, deadline=PATIENCE_S) == first
    await classify(system, "where is the cup")
    after = await system.client.call(NAME, asked, deadline=PATIENCE_S)
    assert (after.context, after.repeats, after.turns) == (Context.STABLE, 1, 1)
    assert abs(sum(after.probabilities.values()) - 1) < 1e-6
    shown = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", SHOW, "where is the cup", "--session", "s"),
        env=system.environment("sage context"),
        stdout=asyncio.subprocess.PIPE,
    )
    out, _ = await shown.communicate()
    assert shown.returncode == 0
    assert b"stable" in out
    assert b"nearest known" in out


async def test_a_damaged_memory_is_moved_aside_and_said(system: Fabric) -> None:
    (system.state_dir / "context.memory").write_bytes(b"not a memory")
    record = await system.node(MODULE, NAME)
    assert record.state is NodeState.DEGRADED
    assert "began with nothing known" in record.reason
    assert [path.read_bytes() for path in system.state_dir.glob("context.unreadable-*")] == [b"not a memory"]
    assert (await classify(system, "where is the cup")).context is Context.NOVEL
