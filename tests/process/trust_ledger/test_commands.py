"""`sage trust` against a running ledger."""

import asyncio
import contextlib
import json
import os
import sqlite3
import stat

from click.testing import CliRunner, Result

from nodes.trust_ledger.commands import trust
from protocol.messages.trust import Judge
from tests.fabric import PATIENCE_S, fabric
from tests.process.trust_ledger.test_node import MODULE, NAME, outcome


async def sage(system, *words: str) -> Result:
    runner = CliRunner(env={"SAGE_RUN_DIR": str(system.run_dir), "SAGE_STATE_DIR": str(system.state_dir)})
    return await asyncio.to_thread(runner.invoke, trust, [*words, "--timeout", "30"])


async def test_the_table_and_the_proof_are_shown():
    async with fabric() as system:
        await system.node(MODULE, NAME)
        for number in range(3):
            await system.client.call(NAME, outcome(number, atp=1.5), deadline=PATIENCE_S)
        shown = await sage(system, "table")
        assert "rests on 6 entries" in shown.output
        (row,) = [line for line in shown.output.splitlines() if "stable" in line.split()]
        assert row.split()[-1] == "1.50"
        rows = [json.loads(line) for line in (await sage(system, "table", "--json")).stdout.splitlines()]
        assert {one["context"] for one in rows} == {"stable", "moving", "unstable", "novel"}
        sound = await sage(system, "verify")
        assert sound.exit_code == 0
        proved, rebuilt, head = sound.output.splitlines()
        assert proved == "sound: 6 entries, as they were written"
        assert rebuilt == (
            "built anew and the same: 1 rules, 2 identities, 1 standings, 0 entries of other hosts, 4 trust table"
        )
        kept = head.split()[1]
        assert (await sage(system, "verify", "--head", kept)).exit_code == 0
        other = await sage(system, "verify", "--head", f"9:{kept.split(':')[1]}")
        assert (other.exit_code, "an older state was put back" in other.output) == (1, True)
        with contextlib.closing(sqlite3.connect(system.state_dir / "trust.sqlite", isolation_level=None)) as base:
            base.execute("DELETE FROM entries WHERE number = 5")
        found = await sage(system, "verify")
        assert (found.exit_code, found.output) == (1, "tampered: entry 5 is missing\n")


async def test_a_user_witnesses_an_entry_and_everything_is_told_in_words(tmp_path):
    async with fabric() as system:
        await system.node(MODULE, NAME)
        await system.client.call(NAME, outcome(1, score=0.0, confidence=0.9), deadline=PATIENCE_S)
        judge = Judge(exchange="x1", score=1.0, source="user")
        assert (await system.client.call(NAME, judge, deadline=PATIENCE_S)).entry == 5
        unknown = await sage(system, "witness", "x1", "--as", "ada")
        assert (unknown.exit_code, "sage trust user ada" in unknown.output) == (2, True)
        made = await sage(system, "user", "ada", "--json")
        assert stat.S_IMODE(os.stat(json.loads(made.stdout)["file"]).st_mode) == 0o600
        user = json.loads(made.stdout)["lct"]["id"]
        assert (await sage(system, "witness", "4", "--as", "ada")).output == "ada is a witness of entry 4, by entry 7\n"
        assert "already" in (await sage(system, "witness", "4", "--as", "ada")).output
        explained = (await sage(system, "explain", "4")).output
        for words in ("unexpected failure", "talent 0.5000 → 0.4800", f"witness     {user}", "'I saw this'"):
            assert words in explained
        (model, *_) = [line.split()[0] for line in (await sage(system, "identities", "model")).output.splitlines()[1:]]
        shown = (await sage(system, "show", model)).output
        assert "as sensory in stable, by 2 judged actions" in shown
        assert shown.index("entry 5: success, user gave 1.00") < shown.index("entry 4: unexpected failure")
        revoked = await sage(system, "revoke", user, "--reason", "left")
        assert revoked.output == f"{user} is revoked, by entry 8\n"
        refused = await sage(system, "witness", "5", "--as", "ada")
        assert (refused.exit_code, "is revoked" in refused.output) == (1, True)
        assert (await sage(system, "verify")).exit_code == 0
        file = tmp_path / "ledger.jsonl"
        assert "8 entries are in" in (await sage(system, "export", str(file))).output
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        running = await sage(system, "import", str(file))
        assert (running.exit_code, "sage down" in running.output) == (3, True)
    elsewhere = {name: str(tmp_path / name) for name in ("SAGE_RUN_DIR", "SAGE_STATE_DIR")}
    taken = CliRunner(env=elsewhere).invoke(trust, ["import", str(file)])
    assert (taken.exit_code, taken.output.split()[0]) == (0, "8")
    file.write_bytes(file.read_bytes().replace(b"x1", b"x2"))
    refused = CliRunner(env=elsewhere).invoke(trust, ["import", str(file)])
    assert (refused.exit_code, str(file) in refused.output) == (1, True)
