"""`sage trust replay` against the running processes."""

from __future__ import annotations

import asyncio
import json

import pytest
from click.testing import CliRunner

from nodes.trust_ledger.commands import trust
from tests.fabric import Fabric, fabric
from tests.process.dialogue.test_node import LEVELS, ask, delivered, dialogue, stand_in, until_delivered


@pytest.fixture
async def system():
    async with fabric() as made:
        yield made


async def test_questions_of_the_day_go_through_all_levels_and_the_ledger_hears_of_each(
    system: Fabric, monkeypatch: pytest.MonkeyPatch
) -> None:
    for level in LEVELS:
        await stand_in(system, "worker", f"model_worker/{level}")
    await stand_in(system, "recorder", "trust_ledger")
    await stand_in(system, "recorder", "metabolic_controller")
    await dialogue(system)
    answers = [await ask(system, f"what is {number} plus two", session=str(number)) for number in range(2)]
    monkeypatch.setenv("SAGE_RUN_DIR", str(system.run_dir))
    monkeypatch.setenv("SAGE_STATE_DIR", str(system.state_dir))
    done = await asyncio.to_thread(CliRunner().invoke, trust, ["replay", "--json"])
    assert done.exit_code == 0, done.output
    *parts, found = map(json.loads, done.stdout.splitlines())
    assert [(part["done"], part["total"]) for part in parts] == [(1, 2), (2, 2)]
    assert (found["done"], found["failed"], found["in_force"]) == (2, 0, False)
    assert "2 replayed questions, of 100" in found["why"]
    told = {f"outcome {answer.exchange}/replayed/{level}" for answer in answers for level in LEVELS[:-1]}
    await until_delivered(system, 2 + len(told))
    while not told <= set(delivered(system, "trust_ledger")):
        await asyncio.sleep(0.02)
