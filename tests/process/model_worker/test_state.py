"""Attention state outlives the worker's process, and other workers of the same model find it."""

import asyncio
import json
import signal
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from nodes.model_worker.commands import kv
from nodes.model_worker.kv.vault import VAULT
from protocol.messages.model import Generate
from tests.fabric import PATIENCE_S, Fabric
from tests.process.model_worker.conftest import NODE, WORKER
from tests.process.model_worker.test_node import ask, chat

pytestmark = pytest.mark.asyncio(loop_scope="module")

QUESTION = "the cup is in the hall . tom works for eva . " * 6


async def kept(system: Fabric, session: str) -> None:
    """Wait until the conversation is on the disk."""
    async with asyncio.timeout(PATIENCE_S):
        while session not in (await sage(system, "list")).output:
            await asyncio.sleep(0.02)


async def sage(system: Fabric, *words: str) -> Result:
    runner = CliRunner(env={"SAGE_RUN_DIR": str(system.run_dir), "SAGE_STATE_DIR": str(system.state_dir)})
    return await asyncio.to_thread(runner.invoke, kv, words)


async def test_a_killed_worker_goes_on_from_the_last_turn_that_ended(system: Fabric, levels_file: Path) -> None:
    name, params = "model_worker/killed", {"level": "small", "levels": str(levels_file)}
    first = Generate(messages=chat(QUESTION), session="killed")
    await system.node(NODE, name, params)
    said = await system.client.call(name, first, deadline=PATIENCE_S)
    await kept(system, "killed")
    await system.end(name, signal.SIGKILL)
    await system.node(NODE, name, params)
    second = Generate(messages=chat(QUESTION, said.text, "so ?"), session="killed")
    resumed = await system.client.call(name, second, deadline=PATIENCE_S)
    assert resumed.tokens_reused == resumed.tokens_restored == said.tokens_computed + said.tokens_generated - 1
    other = await ask(system, second)
    assert (resumed.ids, resumed.missed) == (other.ids, "")


async def test_a_second_worker_of_the_same_model_computes_only_the_partial_chunk(
    system: Fabric, levels_file: Path
) -> None:
    request = Generate(messages=chat(f"shared {QUESTION}"), session="shared")
    first = await ask(system, request)
    await kept(system, "shared")
    await system.node(NODE, "model_worker/second", {"level": "small", "levels": str(levels_file)})
    second = await system.client.call(
        "model_worker/second", Generate(messages=request.messages, session="another"), deadline=PATIENCE_S
    )
    asked = first.tokens_reused + first.tokens_computed
    assert second.tokens_computed == asked % 64
    assert second.tokens_restored == asked - asked % 64
    assert second.ids == first.ids


async def test_a_disk_that_cannot_be_written_degrades_the_worker_and_the_answer_still_comes(
    system: Fabric, levels_file: Path
) -> None:
    sessions = system.state_dir / VAULT / "sessions"
    aside = sessions.with_name("aside")
    sessions.rename(aside)
    sessions.write_text("in the way")
    try:
        assert (await ask(system, Generate(messages=chat("degraded ?"), session="d"))).tokens_generated
        async with asyncio.timeout(PATIENCE_S):
            while not any("attention state is not kept" in each.reason for each in await system.records()):
                await asyncio.sleep(0.02)
    finally:
        sessions.unlink()
        aside.rename(sessions)
    await ask(system, Generate(messages=chat("again ?"), session="d"))
    await kept(system, "d ")
    assert WORKER in {each.name for each in await system.records() if not each.reason}


async def test_what_is_kept_is_listed_shown_verified_and_removed(system: Fabric) -> None:
    await ask(system, Generate(messages=chat(f"listed {QUESTION}"), session="listed"))
    await kept(system, "listed")
    (row,) = [
        json.loads(line) for line in (await sage(system, "list", "--json")).stdout.splitlines() if "listed" in line
    ]
    shown = json.loads((await sage(system, "info", "listed", "--json")).stdout)
    assert shown["tokens"] == row["tokens"] == sum(chunk["tokens"] for chunk in shown["line"])
    assert "listed: " in (await sage(system, "info", "listed")).stdout
    verified = await sage(system, "verify")
    assert (verified.exit_code, "0 files are not" in verified.output) == (0, True)
    removed = json.loads((await sage(system, "remove", "listed", "--json")).stdout)
    assert removed["bytes"] > 0
    unknown = await sage(system, "info", "listed")
    assert unknown.exit_code == 1
    assert "nothing is kept of 'listed'" in unknown.stderr


async def test_a_spoiled_file_is_named_by_verify_and_moved_away(system: Fabric) -> None:
    await ask(system, Generate(messages=chat(f"spoiled {QUESTION}"), session="spoiled"))
    await kept(system, "spoiled")
    chunk = json.loads((await sage(system, "info", "spoiled", "--json")).stdout)["line"][-1]["address"]
    (file,) = (system.state_dir / VAULT).rglob(f"{chunk}.kv")
    file.write_bytes(file.read_bytes()[:-1])
    found = await sage(system, "verify", "--json")
    assert (found.exit_code, list(json.loads(found.stdout)["wrong"])) == (1, [file.name])
    assert not file.exists()
    assert (system.state_dir / VAULT / "quarantine" / file.name).exists()
