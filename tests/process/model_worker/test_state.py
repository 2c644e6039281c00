"""Attention state outlives the worker's process, and other workers of the same model find it."""

import asyncio
import json
import signal
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from nodes.model_worker.commands import kv
from nodes.model_worker.errors import UnknownSession
from nodes.model_worker.kv.vault import VAULT
from protocol.messages.model import Generate, ResumeState
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


async def classes(system: Fabric, session: str) -> list[str]:
    """Of the whole chunks of a conversation on the disk."""
    shown = (await sage(system, "info", session, "--json")).stdout
    return [chunk["exactness"] for chunk in json.loads(shown)["line"] if chunk["tokens"] == 64] if shown else []


async def reason(system: Fabric, part: str, worker: str = WORKER) -> None:
    """Wait until the worker's state is for a reason with this in it; "": for none."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            (given,) = [each.reason for each in await system.records() if each.name == worker]
            if part in given and bool(part) == bool(given):
                return
            await asyncio.sleep(0.02)


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


async def test_what_decoding_made_becomes_cold_in_idle_time(system: Fabric) -> None:
    first = Generate(messages=chat(f"cold {QUESTION}"), session="cold", max_new_tokens=200, exactness="cold")
    said = await ask(system, first)
    held = said.tokens_reused + said.tokens_computed + said.tokens_generated - 1
    async with asyncio.timeout(PATIENCE_S):
        while await classes(system, "cold") != ["cold"] * (held // 64):
            await asyncio.sleep(0.05)
    messages = chat(f"cold {QUESTION}", said.text, "so ?")
    after = await ask(system, Generate(messages=messages, session="cold", exactness="cold"))
    assert (after.tokens_reused, after.exactness) == (held - held % 64, "cold")


async def test_a_disk_that_cannot_be_written_degrades_the_worker_and_the_answer_still_comes(
    system: Fabric, levels_file: Path
) -> None:
    sessions = system.state_dir / VAULT / "sessions"
    aside = sessions.with_name("aside")
    sessions.rename(aside)
    sessions.write_text("in the way")
    try:
        assert (await ask(system, Generate(messages=chat("degraded ?"), session="d"))).tokens_generated
        await reason(system, "attention state is not kept")
    finally:
        sessions.unlink()
        aside.rename(sessions)
    await ask(system, Generate(messages=chat("again ?"), session="d"))
    await kept(system, "d ")
    await reason(system, "")


async def test_a_worker_whose_place_for_state_cannot_be_opened_answers_and_says_so(
    system: Fabric, levels_file: Path
) -> None:
    name, lock = "model_worker/keepless", system.state_dir / VAULT / "lock"
    aside = lock.with_name("aside")
    lock.rename(aside)
    lock.mkdir()
    try:
        await system.node(NODE, name, {"level": "small", "levels": str(levels_file)})
    finally:
        lock.rmdir()
        aside.rename(lock)
    request = Generate(messages=chat("and now ?"), session="keepless")
    assert (await system.client.call(name, request, deadline=PATIENCE_S)).tokens_generated
    await reason(system, "attention state cannot be kept here", name)
    await system.end(name, signal.SIGTERM)


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
    assert "nothing is kept of 'listed'" in unknown.output


async def test_state_is_saved_resumed_exported_and_imported_by_hand(system: Fabric, tmp_path: Path) -> None:
    asked = await ask(system, Generate(messages=chat(f"by hand {QUESTION}"), session="hand"))
    saved = await sage(system, "save")
    assert (saved.exit_code, f"{WORKER}: " in saved.output) == (0, True), saved.output
    assert "conversations are written down" in saved.output
    file = tmp_path / "hand.sage"
    exported = await sage(system, "export", "hand", str(file))
    assert (exported.exit_code, file.stat().st_mode & 0o777) == (0, 0o600)
    imported = await sage(system, "import", str(file), "--as", "other hand")
    assert imported.exit_code == 0, imported.output
    (resumed,) = (await sage(system, "resume", "other hand", "--level", "small", "--json")).stdout.splitlines()
    held = asked.tokens_reused + asked.tokens_computed + asked.tokens_generated - 1
    assert json.loads(resumed)["tokens"] == held
    foreign = await sage(system, "import", str(file), "--from", "lct:host:elsewhere")
    assert (foreign.exit_code, "if you trust that host" in foreign.output) == (1, True)
    file.write_bytes(b"something else")
    broken = await sage(system, "import", str(file))
    assert (broken.exit_code, "not an exported conversation" in broken.output) == (1, True)


async def test_an_unknown_session_is_named_over_the_call_plane_and_by_the_command(
    system: Fabric, tmp_path: Path
) -> None:
    with pytest.raises(UnknownSession, match="nothing is kept of 'never'"):
        await system.client.call(WORKER, ResumeState(session="never"), deadline=PATIENCE_S)
    for words in (
        ("resume", "never"),
        ("export", "never", str(tmp_path / "x")),
        ("remove", "never"),
        ("info", "never"),
    ):
        refused = await sage(system, *words)
        assert (refused.exit_code, "nothing is kept of 'never'" in refused.output) == (1, True)


async def test_a_checkpoint_is_made_listed_and_gone_back_to(system: Fabric) -> None:
    first = await ask(system, Generate(messages=chat(f"a moment {QUESTION}"), session="moment"))
    held = first.tokens_reused + first.tokens_computed + first.tokens_generated - 1
    made = await sage(system, "checkpoint", "moment", "--label", "before", "--level", "small")
    assert made.output == f"{WORKER}: moment#before, {held} tokens\n", made.output
    await ask(system, Generate(messages=chat(f"a moment {QUESTION}", first.text, "so ?"), session="moment"))
    (shown,) = (await sage(system, "checkpoints", "moment", "--json")).stdout.splitlines()
    assert (json.loads(shown)["label"], json.loads(shown)["why"]) == ("before", "by hand")
    back = await sage(system, "resume", "moment", "--checkpoint", "before", "--level", "small", "--json")
    assert json.loads(back.stdout)["tokens"] == held
    refused = await sage(system, "resume", "moment", "--checkpoint", "never")
    assert (refused.exit_code, "nothing is kept of 'moment#never'" in refused.output) == (1, True)
    assert (await sage(system, "remove", "moment")).exit_code == 0
    assert (await sage(system, "checkpoints", "moment")).output == ""


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
