"""`sage state` against a running controller."""

import asyncio
import json
from pathlib import Path

from click.testing import CliRunner, Result

from nodes.metabolic_controller.commands import state
from tests.fabric import fabric
from tests.process.metabolic_controller.test_node import MODULE, NAME


async def sage(system, *words: str) -> Result:
    runner = CliRunner(env={"SAGE_RUN_DIR": str(system.run_dir)})
    return await asyncio.to_thread(runner.invoke, state, [*words, "--timeout", "30"])


async def test_an_operator_sees_asks_and_is_told(tmp_path: Path):
    async with fabric() as system:
        assert "nobody has said how awake the whole is" in (await sage(system, "show")).output
        await system.node(MODULE, NAME)
        followed = await sage(system, "request", "dream", "--json")
        assert (followed.exit_code, json.loads(followed.stdout)["state"]) == (0, "DREAM")
        shown = await sage(system, "show")
        assert "DREAM  transition 2" in shown.output
        assert "nobody answers" in shown.output
        assert " of 100 ATP" in shown.output
        record = json.loads((await sage(system, "show", "--json")).stdout)
        assert record["state"]["number"] == 2
        (node,) = [one for one in record["nodes"] if one["node"] == NAME]
        assert node["behind"] in {0, 1}, "its heartbeat may still be under way"
        watched = await sage(system, "watch", "--count", "1", "--json")
        assert json.loads(watched.stdout)["number"] == 2
        assert (await sage(system, "request", "sleepy")).exit_code == 2
        told = (await sage(system, "history", "--since", "1h", "--plot", str(tmp_path / "day.png"))).output
        assert "first start" in told
        assert "an operator asked for it" in told
        assert (tmp_path / "day.png").read_bytes().startswith(b"\x89PNG")
        (last,) = (await sage(system, "history", "-n", "1", "--json")).stdout.splitlines()
        assert json.loads(last)["number"] == 2
        assert "no transition in that time" in (await sage(system, "history", "--since", "0s")).output
        assert (await sage(system, "history", "--since", "soon")).exit_code == 2
        explained = (await sage(system, "explain")).output
        assert "it senses: atp " in explained
        assert ", salience 0, " in explained
        assert "somebody speaks" in explained or "salience of 0." in explained
        ways = json.loads((await sage(system, "explain", "--json")).stdout)["ways"]
        assert {way["state"] for way in ways} >= {"WAKE", "CRISIS"}
    assert (await sage(system, "show")).exit_code in {2, 3}
