"""A visitor's connection: commands, monitors and tests that call and listen without being a node."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import structlog

from protocol.errors import HubLost
from protocol.topics import TOPICS, Delivery, Queue
from runtime.bus.caller import Stream
from runtime.bus.connection import Bus
from runtime.bus.events import Event, Subscription
from runtime.identity import host_name
from runtime.lock import holder
from runtime.paths import run_dir as default_run_dir

_LISTEN_QUEUE = 10_000


class Client:
    """Calls and listens. Made by `connect`, an asynchronous context manager."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    @classmethod
    @asynccontextmanager
    async def connect(
        cls, run_dir: Path | None = None, *, name: str = "client", deadline: float = 5.0
    ) -> AsyncIterator[Client]:
        """Connect to the hub of a run directory. Raises `HubLost` at once where none holds it."""
        directory = run_dir or default_run_dir()
        if holder(directory / "hub.lock") is None:
            raise HubLost(
                "no hub is running here",
                place=str(directory),
                remedy="start the system with `sage up`, or name its run directory in SAGE_RUN_DIR",
            )
        unique = f"{name}-{os.getpid()}-{time.monotonic_ns() % 1_000_000}"
        bus = Bus(name=unique, run_dir=directory, host=host_name(), log=structlog.get_logger(node=unique))
        await bus.connect()
        try:
            bus.open()
            await bus.wait_live(deadline)
            yield cls(bus)
        finally:
            await bus.close()

    async def call(
        self, target: str, request: Any, *, deadline: float, trace: bytes = b"", idempotency_key: str | None = None
    ) -> Any:
        """Ask a node and wait at most `deadline` seconds. Raises a `SageError`."""
        return await self._bus.call(target, request, deadline=deadline, trace=trace, idempotency_key=idempotency_key)

    def stream(self, target: str, request: Any, *, deadline: float) -> AbstractAsyncContextManager[Stream[Any]]:
        """Ask a node and read the parts of its answer while they come."""
        return self._bus.stream(target, request, deadline=deadline)

    def publish(self, body: Any, *, trace: bytes = b"") -> None:
        self._bus.publish(body, trace=trace)

    async def listen(
        self,
        topic: str,
        handler: Callable[[Event[Any]], Awaitable[None]],
        *,
        delivery: Delivery | None = None,
        deadline: float = 5.0,
    ) -> Subscription:
        """Have `handler` called with every event of the topic, or of all under a prefix such as `audio/`.

        Returns once the subscription is live and what is retained has been handed over.
        """
        declared = TOPICS.find(topic)
        subscription = self._bus.listen(
            declared or topic, handler, delivery=delivery or (declared.delivery if declared else Queue(_LISTEN_QUEUE))
        )
        await self._bus.wait_live(deadline)
        return subscription

    @asynccontextmanager
    async def events(self, topic: str, *, delivery: Delivery | None = None) -> AsyncIterator[AsyncIterator[Event[Any]]]:
        """The events of a topic or prefix, one after another: `async with client.events(…) as events: async for …`."""
        queue: asyncio.Queue[Event[Any]] = asyncio.Queue(_LISTEN_QUEUE)
        subscription = await self.listen(topic, queue.put, delivery=delivery)
        try:
            yield _drain(queue)
        finally:
            self._bus.unlisten(subscription)

    def stats(self) -> dict[str, dict[str, float]]:
        return self._bus.stats()


async def _drain(queue: asyncio.Queue[Event[Any]]) -> AsyncIterator[Event[Any]]:
    while True:
        yield await queue.get()
