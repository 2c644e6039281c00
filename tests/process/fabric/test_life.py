"""How a node ends, told to or not; node and hub are in the same loop."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import structlog

from protocol.errors import CallError, SageError
from protocol.messages.hub import ListNodes
from protocol.messages.metabolism import Metabolic, MetabolicState
from protocol.messages.node import NodeState
from runtime.node import Call, Fatal, Node, serve
from runtime.node.base import NoParams
from tests.fabric import PATIENCE_S
from tests.process.fabric.here import Here
from tests.process.fabric.messages import Once, Seen, Slow


class Frail(Node):
    """Breaks where it is told to."""

    stopping: asyncio.Event | None = None
    """Set while `stop` goes on; it goes on until `stopped`."""
    stopped: asyncio.Event
    breaks_in_stop = False

    async def stop(self) -> None:
        if self.stopping is not None:
            self.stopping.set()
            await self.stopped.wait()
        if self.breaks_in_stop:
            raise OSError("the disk is full")

    @serve(Once)
    async def once(self, _request: Once, _call: Call) -> Seen:
        raise Fatal("cannot go on")

    @serve(Slow)
    async def slow(self, _request: Slow, _call: Call) -> Seen:
        try:
            await asyncio.Event().wait()
        finally:
            self.health("degraded", "something hurts")
        return Seen()


async def begin(here: Here, **behaviour: Any) -> tuple[Frail, asyncio.Task[None]]:
    node = Frail(
        name="frail",
        params=NoParams(),
        run_dir=here.run_dir,
        state_dir=here.run_dir,
        host="here",
        log=structlog.get_logger(),
    )
    for name, value in behaviour.items():
        setattr(node, name, value)
    life = asyncio.create_task(node.live())
    async with asyncio.timeout(PATIENCE_S):
        while node._state != NodeState.READY:
            await asyncio.sleep(0.01)
    return node, life


async def state_of(bus: Any, name: str) -> tuple[NodeState, str]:
    registry = await bus.call("hub", ListNodes(), deadline=PATIENCE_S)
    return next((one.state, one.reason) for one in registry.nodes if one.name == name)


async def test_a_fatal_error_while_answering_ends_the_node_and_is_told_to_the_caller(here: Here) -> None:
    await here.open_hub()
    _node, life = await begin(here)
    bus = await here.connect("asker")
    await bus.wait_live(PATIENCE_S)
    with pytest.raises(SageError, match="cannot go on"):
        await bus.call("frail", Once(), deadline=PATIENCE_S)
    with pytest.raises(Fatal):
        await asyncio.wait_for(life, PATIENCE_S)
    assert await state_of(bus, "frail") == (NodeState.FAILED, "cannot go on")


async def test_a_node_that_breaks_while_stopping_says_so_and_lets_go_of_the_hub(here: Here) -> None:
    await here.open_hub()
    node, life = await begin(here, breaks_in_stop=True)
    bus = await here.connect("asker")
    await bus.wait_live(PATIENCE_S)
    node.request_stop()
    with pytest.raises(OSError, match="disk is full"):
        await asyncio.wait_for(life, PATIENCE_S)
    assert await state_of(bus, "frail") == (NodeState.FAILED, "the disk is full")
    assert node._bus._closed


async def test_nothing_new_is_begun_while_a_node_stops_and_stopped_is_its_last_word(here: Here) -> None:
    await here.open_hub()
    stopping, stopped = asyncio.Event(), asyncio.Event()
    node, life = await begin(here, stopping=stopping, stopped=stopped)
    bus = await here.connect("asker")
    await bus.wait_live(PATIENCE_S)
    under_way = asyncio.create_task(bus.call("frail", Slow(), deadline=PATIENCE_S))
    async with asyncio.timeout(PATIENCE_S):
        while not node._bus.server.stats()["open"]:
            await asyncio.sleep(0.01)
    node.request_stop()
    await asyncio.wait_for(stopping.wait(), PATIENCE_S)
    with pytest.raises(CallError, match="is stopping"):
        await bus.call("frail", Slow(), deadline=PATIENCE_S)
    stopped.set()
    await asyncio.wait_for(life, PATIENCE_S)
    with pytest.raises(CallError):
        await under_way
    assert await state_of(bus, "frail") == (NodeState.STOPPED, "")


async def test_a_transition_that_could_not_be_taken_up_is_handed_over_again(here: Here) -> None:
    await here.open_hub()
    failures = [OSError("no memory")]

    async def changed(_state: MetabolicState) -> None:
        if failures:
            raise failures.pop()

    node, life = await begin(here, metabolic_changed=changed)
    controller = await here.connect("metabolic_controller")
    await controller.wait_live(PATIENCE_S)
    controller.publish(MetabolicState(state=Metabolic.WAKE, number=7, reason="", since_ns=0))
    async with asyncio.timeout(PATIENCE_S):
        while node.metabolic is None:
            node._beat()
            await asyncio.sleep(0.02)
    assert node.metabolic.number == 7
    node.request_stop()
    await asyncio.wait_for(life, PATIENCE_S)
