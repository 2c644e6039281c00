"""`sage state` against a running controller."""

import asyncio
import json

from click.testing import CliRunner, Result

from nodes.metabolic_controller.commands import state
from tests.fabric import fabric
from tests.process.metabolic_controller.test_node import MODULE, NAME


async def sage(system, *words: str) -> Result:
    runner = CliRunner(env={"SAGE_RUN_DIR": str(system.run_dir)})
    return await asyncio.to_thread(runner.invoke, state, [*words, "--timeout", "30"])


async def test_an_operator_sees_asks_and_is_told():
    async with fabric() as system:
        assert "nobody has said how awake the whole is" in (await sage(system, "show")).output
        await system.node(MODULE, NAME)
        followed = await sage(system, "request", "dream", "--json")
        assert (followed.exit_code, json.loads(followed.stdout)["state"]) == (0, "DREAM")
        shown = await sage(system, "show")
        assert "DREAM  transition 2" in shown.output
        assert "nobody answers" in shown.output
        assert "100.0 of 100 ATP" in shown.output
        record = json.loads((await sage(system, "show", "--json")).stdout)
        assert record["state"]["number"] == 2
        (node,) = [one for one in record["nodes"] if one["node"] == NAME]
        assert node["behind"] in {0, 1}, "its heartbeat may still be under way"
        watched = await sage(system, "watch", "--count", "1", "--json")
        assert json.loads(watched.stdout)["number"] == 2
        assert (await sage(system, "request", "sleepy")).exit_code == 2
    assert (await sage(system, "show")).exit_code in {2, 3}
