"""A dream that asks the running worker of a larger level: it pays for that, and waits where no worker is there."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from nodes.dream_consolidator import teacher_cache
from protocol.messages.dream import DreamCompleted, DreamProgress, ForgetExamples, StartDream
from tests.fabric import PATIENCE_S, Fabric, fabric
from tests.process.dream_consolidator import tiny
from tests.process.dream_consolidator.test_node import MODULE, NAME, ask, params

BIG = "model_worker/big"


@pytest.fixture
async def system() -> AsyncIterator[Fabric]:
    async with fabric() as made:
        yield made


async def teach(system: Fabric, given: dict[str, str]) -> None:
    await system.node("nodes.model_worker.node", BIG, {"level": "big", "levels": given["levels"]})


async def dream(system: Fabric) -> tuple[list[DreamProgress], DreamCompleted]:
    async with system.client.stream(NAME, StartDream(), deadline=PATIENCE_S) as parts:
        progress = [part async for part in parts]
    return progress, parts.reply


@pytest.mark.slow
@pytest.mark.timeout(4 * PATIENCE_S)
async def test_it_waits_for_its_teacher_pays_it_and_forgets_what_it_said(
    system: Fabric, tmp_path: Path, models: Path
) -> None:
    given = params(tmp_path, models, by="worker", epochs=1)
    await system.node(MODULE, NAME, given)
    for question in tiny.questions("swap")[:120]:  # right answers are not known: all are the teacher's to say
        await ask(system, tiny.offer(question, answer="ash", level="small", score=0.0, salience=0.9))
    _, away = await dream(system)
    assert away.interrupted
    assert away.why.startswith(f"the teacher, {BIG}, is away: ")
    async with system.client.events("dream/backlog") as told:
        backlog = (await anext(told)).body
    assert (backlog.examples, backlog.why) == (0, away.why.removesuffix("; it goes on from here another time"))
    await teach(system, given)
    progress, ended = await dream(system)
    assert (ended.dream, ended.interrupted) == (away.dream, False), ended.why
    assert 0 < progress[-1].called_cpu_s < ended.cpu_s
    cache = teacher_cache.opened(system.state_dir, 1 << 30)
    assert cache.stats()["entries"] > 0
    forgotten = await ask(system, ForgetExamples(everything=True))
    assert any(each.endswith(" answers of teachers") for each in forgotten.derived)


@pytest.mark.slow
@pytest.mark.timeout(4 * PATIENCE_S)
async def test_killed_while_it_teaches_it_is_waited_for_and_what_it_said_stays(
    system: Fabric, tmp_path: Path, models: Path
) -> None:
    given = params(tmp_path, models, by="worker", epochs=1)
    await system.node(MODULE, NAME, given)
    await teach(system, given)
    for question in tiny.questions("swap"):
        await ask(system, tiny.offer(question, answer="ash", level="small", score=0.0, salience=0.9))
    cache = teacher_cache.opened(system.state_dir, 1 << 30)
    dreaming = asyncio.ensure_future(dream(system))
    while not cache.stats()["entries"]:
        assert not dreaming.done(), dreaming.result()
        await asyncio.sleep(0.001)
    await system.end(BIG, signal.SIGKILL)
    said = cache.stats()["entries"]
    _, away = await dreaming
    assert away.interrupted
    assert away.why.startswith(f"the teacher, {BIG}, is away: ")
    await teach(system, given)
    _, ended = await dream(system)
    assert (ended.dream, ended.interrupted) == (away.dream, False), ended.why
    assert cache.stats()["entries"] > said
