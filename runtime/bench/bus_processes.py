"""The two nodes of the bus benchmark, `python -m runtime.bench.bus_processes source` and `… reader`.

They are nodes like any other: typed topics, numbered and checked messages, a heartbeat. Only their orders come over the
benchmark's own line, so that what is measured carries nothing else.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable, Coroutine
from typing import Any

from protocol.messages.node import Ping
from protocol.topics import TOPICS, Queue
from runtime.bench.peers.control import Control
from runtime.bench.peers.pacing import Tally, bursts
from runtime.bench.peers.sample import MAKERS, Block, Sample
from runtime.node import Event, Node, on, run

SOURCE = "bench/source"
READER = "bench/reader"

_CALL_DEADLINE_S = 5.0
_ORDER_DEADLINE_S = 55.0
_TURN_NS = 20_000_000

TOPICS.declare("bench/sample", Sample, Queue(4096))
TOPICS.declare("bench/block", Block, Queue(1024))


class Source(Node):
    """Says events at a rate; asks calls one after another."""

    async def start(self) -> None:
        self._loop = asyncio.get_running_loop()
        orders = {"send": self._in_loop(self._send), "call": self._in_loop(self._ask)}
        control = Control("sage.source", orders)
        control.serve_beside(lambda: self._loop.call_soon_threadsafe(self.request_stop))

    def _in_loop(self, order: Callable[..., Coroutine[Any, Any, dict[str, Any]]]) -> Callable[..., dict[str, Any]]:
        """An order that comes in the control thread, carried out in the loop of the node."""

        def carry_out(**arguments: Any) -> dict[str, Any]:
            return asyncio.run_coroutine_threadsafe(order(**arguments), self._loop).result(_ORDER_DEADLINE_S)

        return carry_out

    async def _send(self, *, round: int, kind: str, count: int, rate: float) -> dict[str, Any]:  # noqa: A002
        """Say `count` events, paced as the peers pace theirs: asleep in between.

        The loop turns often enough for the heartbeat. Were it to turn after every event it would, on two cores, compete
        with what carries the event on, which no peer's source does.
        """
        make, number, first_ns = MAKERS[kind], 0, time.monotonic_ns()
        turned_ns = first_ns
        for burst in bursts(count, rate):
            for _ in range(burst):
                number += 1
                self.publish(make(round, number, time.monotonic_ns()))
            if time.monotonic_ns() - turned_ns > _TURN_NS:
                await asyncio.sleep(0)
                turned_ns = time.monotonic_ns()
        return {"sent": number, "first_ns": first_ns, "last_ns": time.monotonic_ns()}

    async def _ask(self, *, count: int, size: int) -> dict[str, Any]:
        payload = bytes(size)
        latencies = []
        for _ in range(count):
            began = time.monotonic_ns()
            await self.call(READER, Ping(payload=payload), deadline=_CALL_DEADLINE_S)
            latencies.append(time.monotonic_ns() - began)
        return {"latencies": latencies}


class Reader(Node):
    """Hears the events, and can be made slow."""

    async def start(self) -> None:
        self._tally = Tally()
        self._work_s = 0.0
        loop = asyncio.get_running_loop()
        control = Control("sage.reader", {**self._tally.commands(), "losses": self._losses, "slow": self._slow})
        control.serve_beside(lambda: loop.call_soon_threadsafe(self.request_stop))

    @on(Sample)
    async def sample(self, event: Event[Sample]) -> None:
        self._tally.note(event.body.round, event.body.sent_ns)
        if self._work_s:
            time.sleep(self._work_s)  # noqa: ASYNC251 - a handler that holds the loop is what this stands for

    @on(Block)
    async def block(self, event: Event[Block]) -> None:
        self._tally.note(event.body.round, event.body.sent_ns)

    def _slow(self, *, seconds: float) -> dict[str, Any]:
        """From now on every sample takes this long to handle."""
        self._work_s = seconds
        return {}

    def _losses(self) -> dict[str, Any]:
        """What this reader knows that it missed, since it began."""
        stats = self._bus.stats()
        inboxes = [record for name, record in stats.items() if name.startswith("inbox bench/")]
        refused = sum(count for name, count in stats["events"].items() if name.startswith("refused"))
        return {
            "gaps": stats["events"]["lost"],
            "dropped": sum(record["dropped"] for record in inboxes),
            "refused": refused,
        }


if __name__ == "__main__":
    run({"source": Source, "reader": Reader}[sys.argv[1]])
