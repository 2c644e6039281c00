"""`sage energy` against a running controller."""

import asyncio
import json
from pathlib import Path

from click.testing import CliRunner, Result

from nodes.metabolic_controller.energy_commands import energy
from protocol.messages.metabolism import Reserve, Settle
from runtime.power import costs
from runtime.power.costs import Cost, Costs, LevelCosts
from tests.fabric import PATIENCE_S, fabric
from tests.process.metabolic_controller.test_node import MODULE, NAME

LEVEL = LevelCosts(
    model="m",
    version="v" * 16,
    device="cpu",
    source="cpu",
    measured_ns=1,
    load=Cost(cpu_s=2.0),
    start=Cost(cpu_s=3.0),
    answer=Cost(cpu_s=0.125),
    prefill=Cost(cpu_s=4.0),
    decode=Cost(cpu_s=20.0),
    characters_per_token=4.0,
    max_new_tokens=100,
)


async def sage(system, *words: str) -> Result:
    runner = CliRunner(env={"SAGE_RUN_DIR": str(system.run_dir), "SAGE_STATE_DIR": str(system.state_dir)})
    return await asyncio.to_thread(runner.invoke, energy, [*words, "--timeout", "30"])


async def test_the_account_its_history_and_what_tells_the_costs_are_shown(tmp_path: Path):
    async with fabric() as system:
        assert (await sage(system, "show")).exit_code == 1
        await system.node(MODULE, NAME)
        await system.client.call(NAME, Settle(ident="x", cpu_s=4.0), deadline=PATIENCE_S)
        await system.client.call(NAME, Reserve(ident="y", atp=3.0), deadline=PATIENCE_S)
        shown = (await sage(system, "show")).output
        for words in (
            "spent/exchange  2.000000",
            "all together    0.000000",
            "balanced",
            "held: 3.00 ATP for exchange y",
        ):
            assert words in shown
        assert "sensor rapl: " in shown
        assert "no level was calibrated" in shown
        costs.save(system.state_dir / costs.FILE, Costs(levels={"sensory": LEVEL}))
        assert "sensory  3.000  2.000  0.125   4.000" in (await sage(system, "show")).output
        record = json.loads((await sage(system, "show", "--json")).stdout)
        assert sum(record["books"]["balances"].values()) == 0
        assert {one["source"] for one in record["sensors"]} == {"ina", "nvml", "rapl"}
        picture = tmp_path / "energy.png"
        told = await sage(system, "history", "--json", "--plot", str(picture))
        assert sum(json.loads(line)["exchanges"] for line in told.stdout.splitlines()) == 1
        assert picture.read_bytes().startswith(b"\x89PNG")
        assert "exchanges" in (await sage(system, "history")).output
