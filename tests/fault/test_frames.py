"""Whatever bytes arrive, nothing dies, and every frame is counted."""

import asyncio
import os
import random
import time

import pytest
import zmq

from protocol import codec
from protocol.messages.hub import HubStats, ListNodes, StatsRequest
from protocol.messages.node import NodeState, Ping
from protocol.topics import TOPICS
from runtime.bus import frames
from runtime.bus.publisher import Publisher
from runtime.bus.transport import Endpoints, make_context, make_socket
from runtime.clock import Clock
from tests.fabric import PATIENCE_S, fabric
from tests.fault.mutations import mutate
from tests.process.fabric.messages import Number, Say

FRAMES = pytest.mark.parametrize("count", [10_000, pytest.param(100_000, marks=pytest.mark.slow)])
BATCH = 500
"""Frames between two checks that all have arrived: fewer than any queue on the way holds."""


@pytest.fixture
async def system():
    async with fabric() as made:
        await made.node("tests.process.fabric.echo", "echo", {"degrees": 1})
        yield made


@pytest.fixture
def intruder(system):
    """A foreign process's sockets and a publisher whose messages it can spoil."""
    context = make_context()
    calls, events = make_socket(context, zmq.DEALER), make_socket(context, zmq.PUB)
    endpoints = Endpoints(system.run_dir)
    calls.connect(endpoints.calls)
    events.connect(endpoints.events_in)
    publisher = Publisher(source="intruder", host="elsewhere", clock=Clock(), topics=TOPICS)
    yield calls, events, publisher
    context.destroy(linger=0)


async def hub_stats(system) -> dict[str, dict[str, float]]:
    stats: HubStats = await system.client.call("hub", StatsRequest(), deadline=PATIENCE_S)
    return stats.counters


def call_frames(publisher: Publisher, chance: random.Random) -> list[bytes]:
    """A message for the call plane, some of its frames spoiled."""
    body = chance.choice((Ping(payload=b"x"), Say(count=1), ListNodes()))
    service = {"Ping": "node/ping", "Say": "test/say", "ListNodes": "hub/list"}[type(body).__name__]
    draft = publisher.draft(service, body, deadline_ns=time.monotonic_ns() + 10**10)
    parts = [
        chance.choice((frames.REQUEST, frames.REQUEST, b"P", b"R", b"E", b"C", b"X", b"V", b"Z", b"")),
        chance.choice((b"echo", b"hub", b"nobody", b"node/health", b"\xff\xfe")),
        os.urandom(16),
        codec.encode(draft),
    ]
    for _ in range(chance.randint(1, 2)):
        at = chance.choice((1, 2, 3, 3, 3, 3))
        parts[at] = mutate(parts[at], chance)
    if chance.random() < 0.05:
        parts = chance.choice((parts[:2], [*parts, b"more"], parts[:1], [b""]))
    return parts


@FRAMES
async def test_spoiled_frames_at_the_hub_are_all_counted_and_kill_nothing(system, intruder, count):
    calls, _, publisher = intruder
    chance = random.Random(1)
    before = await hub_stats(system)
    for _ in range(count // BATCH):
        for _ in range(BATCH):
            calls.send_multipart(call_frames(publisher, chance))
        # The hub reads one peer's frames in order: this answer comes when it has dealt with all of them.
        await answered(calls, publisher)
    after = await hub_stats(system)
    outcomes = sum(many for name, many in after["hub"].items() if name not in NOT_OUTCOMES)
    assert after["hub"]["frames"] == outcomes
    assert after["hub"]["frames"] - before["hub"]["frames"] >= count
    assert sum(many for name, many in after["hub"].items() if name.startswith("refused")) > count / 4
    assert "Traceback" not in system.log("hub")
    assert system.processes["hub"].returncode is None
    assert (await system.client.call("echo", Ping(payload=b"well"), deadline=PATIENCE_S)).payload == b"well"


async def answered(calls: zmq.Socket[bytes], publisher: Publisher) -> None:
    """Ask the hub something sound and read until its answer is there."""
    draft = publisher.draft("hub/list", ListNodes(), deadline_ns=time.monotonic_ns() + round(PATIENCE_S * 1e9))
    calls.send_multipart([frames.REQUEST, b"hub", draft.id, codec.encode(draft)])
    async with asyncio.timeout(PATIENCE_S):
        while True:
            if not calls.poll(0):
                await asyncio.sleep(0.001)
            elif calls.recv_multipart()[1] == draft.id:
                return


NOT_OUTCOMES = {
    "frames",
    "calls failed",
    "calls expired",
    "calls cut",
    "unsent: peer gone",
    "unsent: queue full",
    "brought up to date",
    "processes not watched",
    "heartbeats of a replaced process",
}
"""Counters of the hub that tell of something else than how a frame ended."""


@FRAMES
async def test_spoiled_events_at_a_node_are_all_counted_and_kill_nothing(system, intruder, count):
    _, events, publisher = intruder
    chance = random.Random(2)

    async def node_counts():
        record = await system.wait_for("echo", NodeState.READY)
        stats = record.health.stats
        refused = sum(many for name, many in stats["events"].items() if name.startswith("refused"))
        return refused + stats["events"]["repeated"] + stats["inbox test/number"]["received"], record

    # The first ones may leave before the subscriptions have come here; then the node has counted fewer.
    async with asyncio.timeout(PATIENCE_S):
        while (await node_counts())[0] == 0:
            events.send_multipart([b"test/number/", b"not a message"])
            await asyncio.sleep(0.05)
    sent = (await node_counts())[0]
    target = sent + count
    while sent < target:
        for _ in range(BATCH * 10):
            _, frame = publisher.event(Number(n=1), b"")
            parts = [b"test/number/", mutate(frame, chance)]
            events.send_multipart([*parts, b"more"] if chance.random() < 0.05 else parts)
        sent += BATCH * 10
        async with asyncio.timeout(PATIENCE_S):
            while True:
                counted, record = await node_counts()
                if counted >= sent:
                    break
                await asyncio.sleep(0.05)
    assert record.health.stats["inbox test/number"]["failed"] == 0
    assert "Traceback" not in system.log("echo")
    assert (await system.client.call("echo", Ping(payload=b"well"), deadline=PATIENCE_S)).payload == b"well"
