"""Forgetting by call: what is kept, listed and forgotten, and a dream under way that rests on it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from protocol.errors import BadRequest
from protocol.messages.dream import ExampleRow, ForgetExamples, ListExamples, StartDream
from tests.fabric import PATIENCE_S, Fabric, fabric
from tests.process.dream_consolidator import tiny
from tests.process.dream_consolidator.test_node import MODULE, NAME, ask, fill, params


@pytest.fixture
async def system() -> AsyncIterator[Fabric]:
    async with fabric() as made:
        yield made


async def listed(system: Fabric, request: ListExamples) -> list[ExampleRow]:
    async with system.client.stream(NAME, request, deadline=PATIENCE_S) as parts:
        rows = [row async for row in parts]
    assert parts.reply.examples == len(rows)
    return rows


async def test_what_is_kept_is_listed_and_forgotten_by_call(system: Fabric) -> None:
    await system.node(MODULE, NAME)
    first, second = tiny.questions("swap")[:2]
    for question in (first, second):
        await ask(system, tiny.offer(question, answer="write to a@x.org", level="tactical", score=None, salience=0.9))
    closed = await listed(system, ListExamples())
    assert [(row.exchange, row.answer) for row in closed] == [(f"x/{first}", ""), (f"x/{second}", "")]
    (opened,) = await listed(system, ListExamples(exchanges=[f"x/{second}"], words=True))
    assert (opened.messages[-1].content, opened.answer) == (second, "write to [email 1]")
    forgotten = await ask(system, ForgetExamples(matching=first.upper()))
    assert (forgotten.examples, forgotten.exchanges, forgotten.dream, forgotten.derived) == (1, 1, "", [])
    assert [row.exchange for row in await listed(system, ListExamples())] == [f"x/{second}"]
    with pytest.raises(BadRequest, match="does not say what to forget"):
        await ask(system, ForgetExamples())
    assert "@" not in system.log(NAME)
    assert await system.end(NAME) == 0, system.log(NAME)


@pytest.mark.slow
@pytest.mark.timeout(4 * PATIENCE_S)
async def test_a_dream_under_way_that_rests_on_it_is_given_up(system: Fabric, tmp_path: Path, models: Path) -> None:
    await system.node(MODULE, NAME, params(tmp_path, models, epochs=100000, patience=100000))
    await fill(system)
    async with asyncio.timeout(3 * PATIENCE_S):
        async with system.client.stream(NAME, StartDream(), deadline=3 * PATIENCE_S) as parts:
            async for progress in parts:
                if progress.stage == "train":
                    break
            forgotten = await ask(system, ForgetExamples(session="s"))
            async for _ in parts:
                pass
    assert forgotten.examples == 120
    assert (parts.reply.dream, parts.reply.promoted, parts.reply.interrupted) == (forgotten.dream, False, True)
    assert parts.reply.why.startswith("given up: something it rested on was forgotten")
    assert list((system.state_dir / "dream" / "jobs").iterdir()) == []
    assert await listed(system, ListExamples()) == []
