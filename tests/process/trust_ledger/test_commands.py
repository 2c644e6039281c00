"""`sage trust` against a running ledger."""

import asyncio
import contextlib
import json
import sqlite3

from click.testing import CliRunner, Result

from nodes.trust_ledger.commands import trust
from tests.fabric import PATIENCE_S, fabric
from tests.process.trust_ledger.test_node import MODULE, NAME, outcome


async def sage(system, *words: str) -> Result:
    runner = CliRunner(env={"SAGE_RUN_DIR": str(system.run_dir)})
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
        assert (sound.exit_code, sound.output) == (0, "sound: 6 entries, as they were written\n")
        with contextlib.closing(sqlite3.connect(system.state_dir / "trust.sqlite", isolation_level=None)) as base:
            base.execute("DELETE FROM entries WHERE number = 5")
        found = await sage(system, "verify")
        assert (found.exit_code, found.output) == (1, "tampered: entry 5 is missing\n")
