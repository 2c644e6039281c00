"""The consolidator as a process: it keeps, dreams when the whole does, yields when roused, and says what came of it."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from nodes.dream_consolidator import settings as configuration
from nodes.dream_consolidator.bill import HELD_S
from nodes.model_worker.folder import open_folder, weights_digest
from protocol.messages.dream import DreamStatusRequest, HistoryRequest, RollBack, ShowDream, StartDream
from protocol.messages.metabolism import Books, BooksRequest, Metabolic, RequestState, Settle
from protocol.messages.node import NodeState
from protocol.messages.trust import TrustRecorded
from tests.fabric import PATIENCE_S, Fabric, fabric
from tests.process.dream_consolidator import tiny

NAME, MODULE = "dream_consolidator", "nodes.dream_consolidator.node"


@pytest.fixture
async def system() -> AsyncIterator[Fabric]:
    async with fabric() as made:
        yield made


def params(directory: Path, models: Path, **train: object) -> dict[str, str]:
    """A configuration and levels of `small` and `big`, written as the files a person would write."""
    levels = directory / "levels.yaml"
    levels.write_text(
        "levels:\n"
        + "".join(
            f"  - {{name: {name}, model: {models / name}, device: cpu, context: 64, max_new_tokens: 6}}\n"
            for name in ("small", "big")
        )
    )
    text = configuration.paths.shipped("configs/dream.yaml").read_text()
    few = {"self_asked": 24, "judged": 40, "top_k": 8, "steps": 0}
    changes = {"students": "[small]", "by": "here", "niceness": 0, **few, **train}
    lines = []
    for line in text.splitlines():
        key = line.split(":")[0].strip()
        indent = line[: len(line) - len(line.lstrip())]
        lines.append(f"{indent}{key}: {changes[key]}" if key in changes else line)
    config = directory / "dream.yaml"
    config.write_text("\n".join(lines))
    return {"config": str(config), "levels": str(levels)}


async def ask(system: Fabric, request: Any, target: str = NAME) -> Any:
    return await system.client.call(target, request, deadline=PATIENCE_S)


async def fill(system: Fabric) -> None:
    for question in tiny.questions("swap")[:120]:
        answer = tiny.right_answer(question)
        await ask(system, tiny.offer(question, answer=answer, level="big", score=1.0, salience=0.9))


async def test_a_dream_that_did_not_help_changes_nothing_and_says_why(
    system: Fabric, tmp_path: Path, models: Path
) -> None:
    given = params(tmp_path, models, epochs=1)
    before = weights_digest(open_folder(models / "small"))
    record = await system.node(MODULE, NAME, given)
    assert record.health is not None
    early = await ask(system, StartDream())
    assert (early.promoted, early.level) == (False, "")
    assert "0 of 8 new examples" in early.why
    async with system.client.events("dream/backlog") as told, asyncio.timeout(PATIENCE_S):
        first = (await anext(told)).body
        assert (first.examples, first.why) == (0, "small: 0 of 8 new examples since its last dream")
    await fill(system)
    async with system.client.events("dream/completed") as completed:
        async with system.client.stream(NAME, StartDream(), deadline=PATIENCE_S) as parts:
            stages = [progress.stage async for progress in parts]
        ended = parts.reply
        async with asyncio.timeout(PATIENCE_S):
            assert (await anext(completed)).body == ended
    assert list(dict.fromkeys(stages)) == ["collect", "teach", "train", "validate"]
    assert (ended.level, ended.promoted, ended.interrupted) == ("small", False, False)
    assert ended.why.startswith(("no held-out question", "not shown: better on what was taught"))
    assert ended.cpu_s > 0
    status = await ask(system, DreamStatusRequest())
    assert (status.examples, status.dreaming, status.last, status.adapters) == (120, False, ended, [])
    assert weights_digest(open_folder(models / "small")) == before
    assert list((system.state_dir / "dream" / "jobs").iterdir()) == []
    async with system.client.events("dream/backlog") as told, asyncio.timeout(PATIENCE_S):
        assert (await anext(told)).body.examples == 0, "what was dreamt of is no longer to be learned"
    again = await ask(system, StartDream())
    assert "0 of 8 new examples" in again.why
    assert await system.end(NAME) == 0, system.log(NAME)


@pytest.mark.timeout(4 * PATIENCE_S)
async def test_it_dreams_while_the_whole_does_and_yields_when_it_is_roused(
    system: Fabric, tmp_path: Path, models: Path
) -> None:
    await system.node("nodes.metabolic_controller.node", "metabolic_controller")
    await system.node(MODULE, NAME, params(tmp_path, models, epochs=100000, patience=100000))
    await fill(system)
    async with (
        system.client.events("dream/progress") as progress,
        system.client.events("dream/completed") as completed,
        asyncio.timeout(3 * PATIENCE_S),
    ):
        await ask(system, RequestState(state=Metabolic.DREAM), "metabolic_controller")
        async for event in progress:
            if event.body.stage == "train":
                break
        (held,) = (await books(system)).held
        assert (held.kind, held.ident) == ("dream", f"{event.body.dream}/1")
        assert held.micro <= 40_000_000
        state = await ask(system, RequestState(state=Metabolic.WAKE), "metabolic_controller")
        ended = (await anext(completed)).body
        assert ended.interrupted
        while (found := await books(system)).held:
            await asyncio.sleep(0.01)
        assert found.problem == ""
        assert found.balances["spent/dream"] == pytest.approx(ended.cpu_s * 500_000, abs=2)
        await taken_up(system, state.number)
        async with system.client.events("dream/backlog") as told:
            assert (await anext(told)).body.examples == 120, "it waits to be gone on with"
        (folder,) = (system.state_dir / "dream" / "jobs").iterdir()
        assert (folder / "checkpoint.safetensors").exists()
        assert folder.name == ended.dream
        while (await ask(system, RequestState(state=Metabolic.DREAM), "metabolic_controller")).state != Metabolic.DREAM:
            await asyncio.sleep(0.01)
        async for event in progress:
            if event.body.stage == "train":
                break
        assert event.body.dream == ended.dream
        assert event.body.done > 1
        settled = [json.loads(line) for line in system.log(NAME).splitlines() if "dream.unsettled" in line]
        assert settled == []
        children = Path(f"/proc/{system.processes[NAME].pid}/task/{system.processes[NAME].pid}/children")
        (training,) = children.read_text().split()
        await system.end(NAME, signal.SIGKILL)
        while running(training):
            await asyncio.sleep(0.01)
        (held,) = (await books(system)).held
        assert held.expires_in_s <= HELD_S, "it is given back soon, though nobody settles it"


async def test_a_dream_without_energy_does_not_begin_and_says_why(system: Fabric, tmp_path: Path, models: Path) -> None:
    await system.node("nodes.metabolic_controller.node", "metabolic_controller")
    await system.node(MODULE, NAME, params(tmp_path, models, epochs=1))
    await fill(system)
    await ask(system, Settle(ident="x", kind="load", cpu_s=170.0), "metabolic_controller")
    refused = await ask(system, StartDream())
    assert (refused.level, refused.promoted, refused.interrupted) == ("small", False, True)
    assert refused.why.startswith("there is no energy for it: 40.00 ATP were asked for, 1")
    assert list((system.state_dir / "dream" / "jobs").iterdir()) == []
    async with system.client.events("dream/backlog") as told, asyncio.timeout(PATIENCE_S):
        said = (await anext(told)).body
        assert (said.examples, said.why) == (0, "no energy for it: 40.00 ATP are needed")
    assert "spent/dream" not in (await books(system)).balances


@pytest.mark.slow
@pytest.mark.timeout(900)
async def test_the_small_model_learns_what_the_large_one_knows_and_keeps_what_it_knew(
    system: Fabric, tmp_path: Path
) -> None:
    knows = [(question, tiny.right_answer(question)) for skill in tiny.SKILLS for question in tiny.questions(skill)]
    for name, width, layers, lessons in (("small", 32, 2, knows[:240]), ("big", 64, 2, knows)):
        tiny.build_model(tmp_path / name, width=width, layers=layers, seed=1)
        tiny.train_model(tmp_path / name, lessons, steps=1200, rate=3e-3, seed=1)
    small = {"self_asked": 800, "judged": 200, "margin": 0.1}  # a world too small for 2%
    given = params(tmp_path, tmp_path, rate=0.002, steps=600, **small)
    await system.node(MODULE, NAME, given)
    for question in tiny.questions("swap")[:200]:
        await ask(system, tiny.offer(question, answer="ash", level="small", score=0.0, salience=0.8))
    ended = await system.client.call(NAME, StartDream(), deadline=600)
    assert ended.promoted, ended.why
    assert "agreement with the teacher" in ended.why
    after = {result.name: result for result in ended.results}
    assert after["novel/0"].after - after["novel/0"].before > 0.8
    assert after["self-asked"].after >= after["self-asked"].before - 0.05
    (challenger,) = (await ask(system, DreamStatusRequest())).challengers
    adapter = challenger.adapter
    assert challenger.share == 0.3
    learned = open_folder(Path(adapter.path))
    assert (adapter.level, adapter.dream, weights_digest(learned)) == ("small", ended.dream, adapter.digest)
    assert adapter.base_version == weights_digest(open_folder(tmp_path / "small"))
    async with system.client.events("adapter/current") as events, asyncio.timeout(PATIENCE_S):
        told = (await anext(events)).body
        assert (told.adapters, told.challengers) == ([], [challenger])
    shown = await ask(system, ShowDream(ident=adapter.digest[:8]))
    assert shown.dream.completed == ended
    assert (shown.lineage.state, shown.lineage.digest) == ("challenger", adapter.digest)
    assert shown.lineage.teacher.startswith("big ")
    assert shown.lineage.signed_by
    async with system.client.events("adapter/decided") as events, asyncio.timeout(PATIENCE_S):
        number = 0
        while number < 40:
            for digest, score in ((adapter.digest, 1.0), ("", 0.0)):
                number += 1
                system.client.publish(
                    TrustRecorded(
                        exchange=f"judged{number}",
                        level="small",
                        entry=number,
                        version="v",
                        adapter=digest,
                        score=score,
                        source="user",
                    )
                )
        decided = (await anext(events)).body
    assert (decided.state, decided.digest) == ("champion", adapter.digest)
    done = await ask(system, RollBack(level="small", reason="to see it go"))
    assert (done.withdrawn, done.digest) == (adapter.digest, "")
    (version,) = (await ask(system, HistoryRequest())).versions
    assert (version.state, version.why) == ("withdrawn", "to see it go")


async def books(system: Fabric) -> Books:
    found: Books = await ask(system, BooksRequest(), "metabolic_controller")
    return found


def running(pid: str) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


async def taken_up(system: Fabric, number: int) -> None:
    while True:
        for record in await system.records():
            if record.name == NAME and record.health and record.health.metabolic_number >= number:
                assert record.state is NodeState.READY
                return
        await asyncio.sleep(0.01)
