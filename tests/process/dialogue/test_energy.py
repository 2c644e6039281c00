"""An exchange and the energy account, between processes: held before, settled after, and never in the way."""

from __future__ import annotations

import asyncio

import pytest

from protocol.errors import SageError
from protocol.messages.metabolism import Books, BooksRequest, Metabolic, RequestState, Settle
from runtime.power import costs
from runtime.power.costs import Cost, Costs, LevelCosts
from tests.fabric import PATIENCE_S, Fabric, fabric
from tests.process.dialogue.test_node import ask, dialogue, stand_in

CONTROLLER = "metabolic_controller"


def cost(cpu_s: float) -> LevelCosts:
    return LevelCosts(
        model="m",
        version="v",
        device="cpu",
        source="cpu",
        measured_ns=1,
        load=Cost(cpu_s=0.0),
        answer=Cost(cpu_s=cpu_s),
        prefill=Cost(cpu_s=0.0),
        decode=Cost(cpu_s=0.0),
        characters_per_token=4.0,
        max_new_tokens=50,
    )


async def books(system: Fabric) -> Books:
    return await system.client.call(CONTROLLER, BooksRequest(), deadline=PATIENCE_S)


async def until_settled(system: Fabric, micro: int) -> Books:
    async with asyncio.timeout(PATIENCE_S):
        while (found := await books(system)).balances.get("spent/exchange", 0) != micro:
            await asyncio.sleep(0.02)
    return found


@pytest.fixture
async def system():
    async with fabric() as made:
        levels = {"sensory": cost(4.0), "tactical": cost(8.0), "specialized": cost(160.0)}
        costs.save(made.state_dir / costs.FILE, Costs(levels=levels))
        await made.node("nodes.metabolic_controller.node", CONTROLLER)
        await dialogue(made)
        yield made


async def test_energy_is_held_before_and_settled_after_and_is_never_in_the_way(system: Fabric) -> None:
    with pytest.raises(SageError):
        await ask(system, "what is two plus two")
    async with asyncio.timeout(PATIENCE_S):
        while (await books(system)).held:
            await asyncio.sleep(0.02)

    await stand_in(system, "worker", "model_worker/sensory")
    answer = await ask(system, "what is two plus two", level="sensory")
    (stage,) = [stage for stage in answer.stages if stage.name == "reserve"]
    assert stage.detail == "2.000 ATP for sensory"
    assert answer.atp == 0.125
    found = await until_settled(system, 125_000)
    assert (found.problem, found.held, found.balances["reserved"]) == ("", [], 0)
    moved = {(one.source, one.target): one.micro for one in found.moved}
    assert moved["budget", "reserved"] == moved["reserved", "budget"] >= 2_000_000

    await system.end(CONTROLLER)
    answer = await ask(system, "what is two plus three", level="sensory")
    assert (answer.answered_by, answer.text) == ("sensory", "it is four .")
    assert "no energy was held" in answer.why


async def test_a_poor_account_asks_a_cheaper_level_and_whoever_names_a_dear_one_gets_it(system: Fabric) -> None:
    for name in ("tactical", "specialized"):
        await stand_in(system, "worker", f"model_worker/{name}")
    await system.client.call(CONTROLLER, Settle(ident="x", kind="dream", cpu_s=230.0), deadline=PATIENCE_S)
    said = await system.client.call(CONTROLLER, RequestState(state=Metabolic.FOCUS), deadline=PATIENCE_S)
    assert said.policy.answer == "quality"
    async with asyncio.timeout(PATIENCE_S):
        while not any(
            record.name == "dialogue" and record.health and record.health.metabolic_number >= said.number
            for record in await system.records()
        ):
            await asyncio.sleep(0.02)
    answer = await ask(system, "what is two plus two")
    assert answer.answered_by == "tactical"
    assert "tactical instead of specialized, for which there is no energy (80.00 ATP were asked for" in answer.why
    named = await ask(system, "what is two plus two", level="specialized")
    assert named.answered_by == "specialized"
    assert (await books(system)).problem == ""
