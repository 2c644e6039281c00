"""A process's connection to the hub: made once, proved live, and made good again whenever the hub comes back."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from contextvars import Context
from pathlib import Path
from typing import Any

import structlog
import zmq
from zmq.utils.monitor import parse_monitor_message

from protocol.codec import encode
from protocol.errors import Cancelled, DeadlineExceeded, HubLost, SageError
from protocol.messages.hub import Register, Registered, SnapshotRequest
from protocol.services import SERVICES
from protocol.topics import TOPICS, Delivery, Topic
from runtime.bus import frames
from runtime.bus.caller import Caller, Stream, check_deadline, hub_lost
from runtime.bus.events import Handler, Reader, Subscription
from runtime.bus.publisher import Publisher
from runtime.bus.serving import Server
from runtime.bus.transport import Endpoints, Frames, Pump, make_context, make_socket, send
from runtime.clock import Clock

_MARKER = "~/"
"""Sorts behind every topic: a process that hears its own marker knows that all subscriptions have arrived."""
_MARKER_INTERVAL_S = 0.02
_HUB_CALL_S = 5.0
_RETRY_S = 0.25


class Bus:
    """Events and calls of one process, over one connection to the hub of its run directory."""

    def __init__(
        self, *, name: str, run_dir: Path, host: str, log: structlog.stdlib.BoundLogger, clock: Clock | None = None
    ) -> None:
        self.name = name
        self.clock = clock or Clock()
        self.publisher = Publisher(source=name, host=host, clock=self.clock, topics=TOPICS)
        self.reader = Reader(TOPICS)
        self.caller = Caller(self._send)
        self.server = Server(self._send, self.clock, log)
        self.registration: Callable[[], Register] | None = None
        """Set by whoever wants to be known to the hub; asked again whenever the hub has come back."""
        self.registered: Registered | None = None
        self.reconnects = -1
        self.unsent = 0
        """Frames that the hub would not take: it was away, or its queue full."""
        self._log = log
        self._endpoints = Endpoints(run_dir)
        self._identity = f"{name}:{self.publisher.epoch}:{os.getpid()}".encode()
        self._marker = _MARKER.encode() + self._identity + b"/"
        self._marker_heard = asyncio.Event()
        self._live = asyncio.Event()
        self._out_of_step = asyncio.Event()
        self._refusal: SageError | None = None
        """Why the hub, which is there, would not have this process; None where it is not there."""
        self._tasks: set[asyncio.Task[None]] = set()
        self._opened = asyncio.Event()
        self._closed = False

    async def connect(self) -> None:
        """Open the sockets and begin to look for the hub. `wait_live` waits until it was found."""
        loop = asyncio.get_running_loop()
        self._context = make_context()
        self._pub = make_socket(self._context, zmq.PUB)
        self._sub = make_socket(self._context, zmq.SUB)
        self._calls = make_socket(self._context, zmq.DEALER)
        self._calls.setsockopt(zmq.ROUTING_ID, self._identity)
        # Without a hub a request must fail now, not reach the next hub long after its caller was told it had failed.
        self._calls.setsockopt(zmq.IMMEDIATE, 1)
        self._monitor: zmq.Socket[bytes] = self._calls.get_monitor_socket(
            zmq.EVENT_HANDSHAKE_SUCCEEDED | zmq.EVENT_DISCONNECTED
        )
        self._sub.subscribe(self._marker)
        self._pub.connect(self._endpoints.events_in)
        self._sub.connect(self._endpoints.events_out)
        self._calls.connect(self._endpoints.calls)
        self._sub_pump = Pump(self._sub, self._take_event, loop)
        self._calls_pump = Pump(self._calls, self._take_call, loop)
        self._monitor_pump = Pump(self._monitor, self._take_monitor, loop)
        self._spawn(self._keep_in_step())

    async def wait_live(self, deadline_s: float) -> None:
        """Wait until the hub knows this process and its subscriptions are proved.

        Raises `HubLost` where no hub answered in time, or what it answered where it refused, such as `NameTaken`.
        """
        try:
            async with asyncio.timeout(deadline_s):
                await self._live.wait()
        except TimeoutError:
            if self._refusal is not None:
                raise self._refusal from None
            raise HubLost(
                f"no hub answered within {deadline_s:g} s",
                place=self._endpoints.calls,
                remedy="start the system with `sage up`, or name its run directory in SAGE_RUN_DIR",
            ) from None

    @property
    def live(self) -> bool:
        return self._live.is_set()

    def open(self) -> None:
        """Let events and requests through to the handlers; until then they wait in their bounded queues."""
        self._opened.set()
        self.server.open()

    async def close(self) -> None:
        """End the calls, close the sockets. What was sent last has 200 ms to leave."""
        if self._closed:
            return
        await self.server.close()
        self._closed = True
        self.caller.fail_all(lambda target, service: HubLost(f"{service}: this process is stopping", place=target))
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for pump in (self._sub_pump, self._calls_pump, self._monitor_pump):
            pump.close()
        self._calls.disable_monitor()
        for sock in (self._monitor, self._pub, self._sub, self._calls):
            sock.close()
        await asyncio.to_thread(self._context.term)

    def publish(self, body: Any, *, trace: bytes = b"") -> None:
        """Say an event on the topic of its type. A retained value is left with the hub first, then said.

        Raises `UnknownMessage` for a type that belongs to no topic, `Oversized` for a body over 1 MiB.
        """
        topic, frame = self.publisher.event(body, trace)
        if topic.retained:
            self._send([frames.RETAIN, topic.path.encode(), b"", frame])
        send(self._pub, [topic.wire, frame])

    def listen(self, topic: Topic | str, handler: Handler, *, delivery: Delivery) -> Subscription:
        """Have `handler` called with every event of a topic, or of all topics under a prefix such as `audio/`."""
        subscription = Subscription(topic, delivery, handler, self._log)
        self.reader.add(subscription)
        self._sub.subscribe(subscription.wire)
        self._sub_pump.poke()
        subscription.task = self._spawn(subscription.run(self._opened), context=subscription.context)
        self._live.clear()
        self._out_of_step.set()
        return subscription

    def unlisten(self, subscription: Subscription) -> None:
        self.reader.remove(subscription)
        self._sub.unsubscribe(subscription.wire)
        self._sub_pump.poke()
        if subscription.task is not None:
            subscription.task.cancel()

    async def call(
        self, target: str, request: Any, *, deadline: float, trace: bytes = b"", idempotency_key: str | None = None
    ) -> Any:
        """Ask `target` and wait at most `deadline` seconds for the reply. Raises a `SageError`; never hangs."""
        async with self.stream(
            target, request, deadline=deadline, trace=trace, idempotency_key=idempotency_key
        ) as stream:
            return await stream.finish()

    @asynccontextmanager
    async def stream(
        self, target: str, request: Any, *, deadline: float, trace: bytes = b"", idempotency_key: str | None = None
    ) -> AsyncIterator[Stream[Any]]:
        """Ask `target` and read its answer while it comes. Leaving early cancels the call over there."""
        service = SERVICES.by_request(type(request))
        check_deadline(deadline, service.name)
        draft = self.publisher.draft(
            service.name,
            request,
            trace=trace,
            deadline_ns=self.clock.mono_ns() + round(deadline * 1e9),
            idempotency_key=idempotency_key,
        )
        stream = self.caller.begin(target, service, draft.id, encode(draft), deadline)
        try:
            yield stream
        finally:
            self.caller.cancel(draft.id, Cancelled("the caller left", place=target))

    def stats(self) -> dict[str, dict[str, float]]:
        """The records of everything in here that queues, drops, refuses or retries."""
        records: dict[str, dict[str, float]] = {
            "bus": {"reconnects": max(self.reconnects, 0), "unsent": self.unsent},
            "events": self.reader.stats(),
            "calls": self.caller.stats(),
            "served": self.server.stats(),
        }
        records.update({f"inbox {one.prefix}": one.stats() for one in self.reader.subscriptions})
        return records

    # Keeping in step with the hub

    async def _keep_in_step(self) -> None:
        """After every connection and every new subscription: register, prove the events, fetch what is retained."""
        while True:
            await self._out_of_step.wait()
            self._out_of_step.clear()
            try:
                await self._step()
            except SageError as error:
                self._refusal = None if isinstance(error, (HubLost, DeadlineExceeded)) else error
                self._log.warning("bus.out_of_step", error=str(error))
                self._out_of_step.set()
                await asyncio.sleep(_RETRY_S)
            else:
                if not self._out_of_step.is_set():
                    self._live.set()

    async def _step(self) -> None:
        if self.registration is not None:
            self.registered = await self.call(frames.HUB, self.registration(), deadline=_HUB_CALL_S)
        await self._prove_events()
        if not self.reader.sequences.live_since_ms:
            self.reader.sequences.live_since_ms = self.clock.wall_ns() // 1_000_000
        wanted = self.reader.retained_prefixes()
        if wanted:
            snapshot = await self.call(frames.HUB, SnapshotRequest(topics=wanted), deadline=_HUB_CALL_S)
            for value in snapshot.values:
                self.reader.take_retained(value.frame)

    async def _prove_events(self) -> None:
        """Say the marker until it is heard: then what is said from here is heard there, and the other way round."""
        self._marker_heard.clear()
        for _ in range(round(_HUB_CALL_S / _MARKER_INTERVAL_S)):
            send(self._pub, [self._marker, b""])
            try:
                async with asyncio.timeout(_MARKER_INTERVAL_S):
                    await self._marker_heard.wait()
            except TimeoutError:
                continue
            return
        raise HubLost(f"the event plane did not echo within {_HUB_CALL_S:g} s", place=self._endpoints.events_out)

    # What arrives

    def _take_event(self, received: Frames) -> None:
        if received[0] == self._marker:
            self._marker_heard.set()
        else:
            self.reader.take(received, at_once=self._sub_pump.alone)

    def _take_call(self, received: Frames) -> None:
        if len(received) != 3:
            self.server.refused += 1
            return
        kind, ident, payload = received
        if kind in (frames.REQUEST, frames.CREDIT, frames.CANCEL):
            self.server.take(kind, ident, payload)
        elif kind in (frames.PART, frames.REPLY, frames.ERROR):
            self.caller.take(kind, ident, payload)
        elif kind == frames.RETAIN:
            self.reader.take_retained(payload, again=True)
        else:
            self.server.refused += 1

    def _take_monitor(self, received: Frames) -> None:
        event = parse_monitor_message(received)["event"]
        if event == zmq.EVENT_HANDSHAKE_SUCCEEDED:
            self.reconnects += 1
        elif event == zmq.EVENT_DISCONNECTED:
            self.caller.fail_all(hub_lost)
        else:
            return
        self._live.clear()
        self._out_of_step.set()

    def _send(self, parts: Frames) -> bool:
        """Hand frames to the hub; False, and counted, where it is away or its queue is full."""
        if self._closed:
            return False
        try:
            send(self._calls, parts)
        except zmq.Again:
            self.unsent += 1
            return False
        self._calls_pump.poke()
        return True

    def _spawn(self, work: Coroutine[Any, Any, None], *, context: Context | None = None) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work, context=context)
        self._tasks.add(task)
        task.add_done_callback(self._task_ended)
        return task

    def _task_ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            self._log.critical("bus.broken", exc_info=task.exception())
