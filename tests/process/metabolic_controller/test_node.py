"""The controller as a process: it hears, decides at once, is heard by late joiners, and forgets nothing."""

import asyncio
import signal
import sys
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from protocol.errors import BadRequest
from protocol.messages.audio import SpeechActivity
from protocol.messages.dialogue import ExchangeCompleted, ExchangeStarted
from protocol.messages.dream import DreamBacklog
from protocol.messages.metabolism import Energy, Metabolic, MetabolicState, RequestState, Rouse, Settle
from protocol.messages.node import NodeState
from tests.fabric import PATIENCE_S, fabric

NAME = "metabolic_controller"
MODULE = "nodes.metabolic_controller.node"
ECHO = "tests.process.fabric.echo"


@pytest.fixture
async def system():
    async with fabric() as made:
        yield made


@asynccontextmanager
async def states(system):
    """What is said on metabolic/state, one after another."""
    async with system.client.events("metabolic/state") as events:

        async def until(state: Metabolic) -> MetabolicState:
            async with asyncio.timeout(PATIENCE_S):
                async for event in events:
                    if event.body.state is state:
                        return event.body
            raise AssertionError("the events ended")

        yield until


async def ask(system, request):
    return await system.client.call(NAME, request, deadline=PATIENCE_S)


async def wish(system, state: Metabolic) -> MetabolicState:
    return await ask(system, RequestState(state=state))


async def test_whatever_stirs_rouses_the_whole_and_failures_make_a_crisis(system):
    await system.node(MODULE, NAME)
    async with states(system) as until:
        first = await until(Metabolic.WAKE)
        assert (first.number, first.reason, first.policy.answer) == (1, "first start", "cheapest")
        assert (await wish(system, Metabolic.DREAM)).policy.dream
        system.client.publish(SpeechActivity(speaking=True, utterance=1, source="mic", at_s=0.0))
        roused = await until(Metabolic.WAKE)
        assert (roused.number, roused.reason, roused.previous) == (3, "somebody is speaking", Metabolic.DREAM)
        refused = await wish(system, Metabolic.REST)
        assert (refused.state, refused.reason) == (Metabolic.WAKE, "REST was refused: somebody is speaking")
        system.client.publish(SpeechActivity(speaking=False, utterance=1, source="mic", at_s=1.0))

        async with asyncio.timeout(PATIENCE_S):
            while (await wish(system, Metabolic.REST)).state is not Metabolic.REST:
                await asyncio.sleep(0.01)
        await until(Metabolic.REST)
        system.client.publish(ExchangeStarted(exchange="x", session="s", source="cli", text="hello"))
        assert (await until(Metabolic.WAKE)).reason == "somebody waits for an answer"

        assert (await ask(system, Rouse(reason="a question"))).state is Metabolic.WAKE
        for number in range(3):
            system.client.publish(ExchangeCompleted(answer=None, exchange=str(number), session="s", error="broken"))
        assert (await until(Metabolic.CRISIS)).policy.answer == "largest"


async def test_costs_are_settled_once_and_shown(system):
    await system.node(MODULE, NAME)
    settled = await ask(system, Settle(ident="x", cpu_s=4.0))
    again = await ask(system, Settle(ident="x", cpu_s=4.0))
    assert (settled.atp, settled.repeated) == (2.0, False)
    assert (again.atp, again.repeated) == (2.0, True)
    for senseless in (Settle(ident="", cpu_s=1.0), Settle(ident="y", cpu_s=-1.0), Settle(ident="y", kind="fun")):
        with pytest.raises(BadRequest):
            await ask(system, senseless)
    async with system.client.events("metabolic/energy") as events, asyncio.timeout(PATIENCE_S):
        async for event in events:
            said: Energy = event.body
            if said.spent.get("exchange"):
                break
    assert said.spent["exchange"] == 2.0
    assert said.opening + said.income - sum(said.spent.values()) == pytest.approx(said.atp)


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL])
async def test_state_number_and_account_survive_the_controller(system, end):
    await system.node(MODULE, NAME)
    await ask(system, Settle(ident="x", cpu_s=60.0))
    before = await wish(system, Metabolic.DREAM)
    await system.end(NAME, end)
    await system.node(MODULE, NAME)
    async with states(system) as until:
        resumed = await until(Metabolic.DREAM)
    assert (resumed.number, resumed.reason) == (before.number, before.reason)
    assert (await ask(system, Settle(ident="x", cpu_s=60.0))).repeated
    roused = await ask(system, Rouse(reason="a question"))
    assert (roused.number, roused.state) == (before.number + 1, Metabolic.WAKE)
    assert roused.budget < 75.0


async def test_numbers_do_not_fall_when_the_memory_was_lost(system):
    await system.node(MODULE, NAME)
    for state in (Metabolic.REST, Metabolic.FOCUS, Metabolic.REST):
        before = await wish(system, state)
    assert before.number == 4
    await system.end(NAME)
    for left in system.state_dir.glob("metabolism.sqlite*"):
        left.unlink()
    await system.node(MODULE, NAME)
    async with states(system) as until:
        assert (await until(Metabolic.WAKE)).number == 5


async def test_how_much_there_is_to_learn_is_the_dreamers_to_say_and_is_not_forgotten(system):
    await system.node(MODULE, NAME)

    async def lessons() -> float:
        (record,) = [record for record in await system.records() if record.name == NAME]
        return record.health.stats["metabolism"]["lessons"] if record.health else -1.0

    async def until(count: float) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while await lessons() != count:
                await asyncio.sleep(0.05)

    system.client.publish(DreamBacklog(examples=12))
    await until(12.0)
    await system.end(NAME, signal.SIGKILL)
    await system.node(MODULE, NAME)
    await until(12.0)
    system.client.publish(DreamBacklog(examples=0, why="3 of 8 new examples"))
    await until(0.0)


async def test_an_unsound_configuration_is_refused_by_the_rule_it_breaks(system, tmp_path: Path):
    shipped = Path("configs/metabolism.yaml").read_text()
    unsound = tmp_path / "unsound.yaml"
    unsound.write_text(shipped.replace("leave_atp: 5\n  lessons", "leave_atp: 90\n  lessons"))
    with pytest.raises(AssertionError, match=r"dream\.leave_atp must be below dream\.enter_atp"):
        await system.node(MODULE, NAME, {"config": str(unsound)})
    assert [record.state for record in await system.records() if record.name == NAME] in ([], [NodeState.FAILED])


async def taken_up(system, *names: str) -> dict[str, int]:
    return {
        record.name: record.health.metabolic_number
        for record in await system.records()
        if record.name in names and record.health
    }


async def test_a_frozen_node_a_late_one_and_a_monitor_all_end_on_the_right_state(system):
    await system.node(MODULE, NAME)
    await system.node(ECHO, "frozen")
    async with states(system) as until:
        await until(Metabolic.WAKE)
        system.kill("frozen", signal.SIGSTOP)
        for state in (Metabolic.FOCUS, Metabolic.REST, Metabolic.DREAM):
            last = await wish(system, state)
        await system.process("late", sys.executable, "-m", ECHO)
        system.kill("frozen", signal.SIGCONT)
        watched = await until(Metabolic.DREAM)
    assert (last.number, watched.number) == (4, 4)
    async with asyncio.timeout(PATIENCE_S):
        while await taken_up(system, "frozen", "late", NAME) != {"frozen": 4, "late": 4, NAME: 4}:
            await asyncio.sleep(0.05)


async def test_the_second_start_does_not_search_the_machine_again(system):
    await system.node(MODULE, NAME)
    proven = system.state_dir / "metabolism.proven"
    first = proven.stat().st_mtime_ns
    await system.end(NAME)
    await system.node(MODULE, NAME)
    assert proven.stat().st_mtime_ns == first
