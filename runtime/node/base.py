"""The node: one process with a name, handlers, parameters, a heartbeat, and an orderly end."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import AbstractAsyncContextManager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, ClassVar

import msgspec
import structlog

from protocol.errors import SageError
from protocol.messages.hub import Register
from protocol.messages.metabolism import MetabolicState
from protocol.messages.node import Describe, Description, NodeState, Ping, Pong
from protocol.schema import schema_hashes
from protocol.topics import TOPICS
from runtime.bus.caller import Stream
from runtime.bus.connection import Bus
from runtime.bus.events import Event
from runtime.bus.serving import Call, Served
from runtime.clock import Clock
from runtime.node.declare import hearing, serve, serving
from runtime.notify import Notifier
from runtime.vitals import Vitals

BEAT_S = 1.0
LIVENESS_S = 5.0
START_S = 120.0
STOP_S = 5.0
_HUB_WAIT_S = 30.0
_ENDING = (NodeState.STOPPING, NodeState.STOPPED, NodeState.FAILED)


class Fatal(SageError):
    """Raised in a handler or hook: this node cannot go on, and the supervisor should start another."""

    code = "fatal"


class NoParams(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A node that takes no parameters."""


class Node:
    """Base of every node. Handlers are methods marked `@on(Type)` or `@serve(Type)`; `start` and `stop` are hooks.

    A handler that raises is an error with its trace, logged and counted, not the end of the process; raise `Fatal` to
    end it. Whatever must not be interrupted belongs into `stop`, which has `STOP_S` seconds.
    """

    Params: ClassVar[type[msgspec.Struct]] = NoParams

    def __init__(
        self,
        *,
        name: str,
        params: Any,
        run_dir: Path,
        state_dir: Path,
        host: str,
        log: structlog.stdlib.BoundLogger,
        clock: Clock | None = None,
    ) -> None:
        self.name = name
        self.params: Any = params
        self.run_dir = run_dir
        self.state_dir = state_dir
        self.host = host
        self.log = log
        self.clock = clock or Clock()
        self.metabolic: MetabolicState | None = None
        """The transition this node has taken up; None before the first."""
        self.ailing: dict[str, str] = {}
        """Part → what is wrong with it: see `ails`."""
        self._bus = Bus(name=name, run_dir=run_dir, host=host, clock=self.clock, log=log)
        self._state = NodeState.STARTING
        self._reason = ""
        self._records: dict[str, Callable[[], dict[str, float]]] = {}
        self._tasks: set[asyncio.Task[Any]] = set()
        self._stop_wanted = asyncio.Event()
        self._failure: Exception | None = None
        self._connected = False
        self._vitals = Vitals(self.clock)
        self._lag_ms = 0.0

    # Hooks

    async def start(self) -> None:
        """Get ready. The node is connected and may call others; what reaches it waits until this returns."""

    async def stop(self) -> None:
        """Put things in order before the end."""

    async def metabolic_changed(self, state: MetabolicState) -> None:
        """Take up a metabolic transition. The heartbeat reports it as taken up once this returns."""

    # What a node does

    def publish(self, body: Any, *, trace: bytes = b"") -> None:
        """Say an event on the topic of its type."""
        self._bus.publish(body, trace=trace)

    async def call(
        self, target: str, request: Any, *, deadline: float, trace: bytes = b"", idempotency_key: str | None = None
    ) -> Any:
        """Ask `target` and wait at most `deadline` seconds for the reply. Raises a `SageError`; never hangs."""
        return await self._bus.call(target, request, deadline=deadline, trace=trace, idempotency_key=idempotency_key)

    def stream(
        self, target: str, request: Any, *, deadline: float, trace: bytes = b"", idempotency_key: str | None = None
    ) -> AbstractAsyncContextManager[Stream[Any]]:
        """Ask `target` and read its answer while it comes: `async with … as s: async for part in s: …; s.reply`."""
        return self._bus.stream(target, request, deadline=deadline, trace=trace, idempotency_key=idempotency_key)

    def new_trace(self) -> bytes:
        return self._bus.publisher.new_trace()

    def health(self, state: NodeState | str, reason: str = "") -> None:
        """Say that the node is `ready`, or `degraded` and why. One that is ending has said its last word on it."""
        if self._state in _ENDING:
            return
        self._state, self._reason = NodeState(state), reason
        self._beat()

    def ails(self, part: str, problem: str) -> None:
        """Say in every heartbeat what is wrong with a part of the node; "": it is well again.

        The node is degraded while any part ails.
        """
        if problem == self.ailing.get(part, ""):
            return
        self.ailing.pop(part, None)
        if problem:
            self.ailing[part] = problem
        self.health(NodeState.DEGRADED if self.ailing else NodeState.READY, "; ".join(self.ailing.values()))

    def stats_record(self, name: str, record: Callable[[], dict[str, float]]) -> None:
        """Show `record()` in every heartbeat: of each queue, link, store and cache there is one."""
        self._records[name] = record

    def spawn(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Run something beside the handlers until the node stops. If it raises, that is logged with its trace."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._task_ended)
        return task

    def request_stop(self) -> None:
        self._stop_wanted.set()

    # The life of a node

    async def live(self) -> None:
        """Connect, start, go on until told to stop, end in order. Raises what ended it, if something did."""
        notifier = Notifier(os.environ)
        heartbeat = asyncio.get_running_loop().create_task(self._keep_beating(notifier))
        heartbeat.add_done_callback(self._heart_stopped)
        try:
            if await self._unless_stopped(self._become_ready(notifier)):
                await self._stop_wanted.wait()
        except Exception as error:
            self._failure = error
            raise
        finally:
            await self._end(notifier, heartbeat)
        if self._failure is not None:
            raise self._failure

    async def _become_ready(self, notifier: Notifier) -> None:
        await self._connect()
        await self.start()
        self._bus.open()
        if self._state == NodeState.STARTING:
            self._state = NodeState.READY
        self._beat()
        notifier.ready(self._reason)
        self.log.info("node.ready", state=str(self._state))

    async def _connect(self) -> None:
        for declared, answer in serving(self):
            guarded = self._guarded_answer(answer)
            self._bus.server.add(Served(declared.service, guarded, declared.concurrency, declared.queue))
        self._bus.registration = self._registration
        await self._bus.connect()
        self._connected = True
        for heard, handler in hearing(self):
            self._bus.listen(heard.topic, self._guarded(handler), delivery=heard.delivery)
        metabolic = TOPICS.by_body(MetabolicState)
        self._bus.listen(metabolic, self._guarded(self._take_up), delivery=metabolic.delivery)
        await self._bus.wait_live(_HUB_WAIT_S)

    async def _unless_stopped(self, work: Coroutine[Any, Any, None]) -> bool:
        """Do `work`, but drop it when the node is told to stop meanwhile; whether it was done."""
        working = asyncio.get_running_loop().create_task(work)
        stopping = asyncio.get_running_loop().create_task(self._stop_wanted.wait())
        await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            stopping.cancel()
            working.result()
            return True
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)
        return False

    async def _end(self, notifier: Notifier, heartbeat: asyncio.Task[None]) -> None:
        """Under one deadline: say so, let `stop` put things in order, end what runs, say that it is over."""
        notifier.stopping()
        self._state = NodeState.STOPPING
        heartbeat.cancel()
        if not self._connected:
            return
        self._beat()
        self._records.clear()  # `stop` closes what they count
        self._bus.server.refuse()
        try:
            async with asyncio.timeout(STOP_S):
                await self._put_in_order()
                await asyncio.gather(*self._cancelled_tasks(), return_exceptions=True)
        except TimeoutError:
            self.log.warning("node.stop_overran", seconds=STOP_S)
            self._cancelled_tasks()
        failed = self._failure is not None
        self._state, self._reason = (NodeState.FAILED, str(self._failure)) if failed else (NodeState.STOPPED, "")
        self._beat()
        await self._bus.close()

    async def _put_in_order(self) -> None:
        """Let `stop` do its work. If it raises, that is why the node failed, unless it had failed already."""
        try:
            await self.stop()
        except Exception as error:
            self.log.exception("node.stop_failed")
            self._failure = self._failure or error

    def _cancelled_tasks(self) -> list[asyncio.Task[Any]]:
        for task in self._tasks:
            task.cancel()
        return list(self._tasks)

    # The heartbeat

    async def _keep_beating(self, notifier: Notifier) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            due += BEAT_S
            await asyncio.sleep(max(0.0, due - loop.time()))
            self._lag_ms = (loop.time() - due) * 1e3
            due = max(due, loop.time() - BEAT_S)
            self._beat()
            notifier.beat()
            if self._state == NodeState.STARTING:
                # A loop that turns is a node that lives, however long its model takes to load.
                notifier.extend(10 * BEAT_S)

    def _beat(self) -> None:
        publisher = self._bus.publisher
        health = self._vitals.health(
            self._state,
            reason=self._reason,
            metabolic_number=self.metabolic.number if self.metabolic else 0,
            retained={path: publisher.sequence[path] for path in publisher.retained if path != "node/health"},
            stats={**self._bus.stats(), **{name: record() for name, record in self._records.items()}},
            loop_lag_ms=self._lag_ms,
        )
        self._bus.publish(health)

    def _registration(self) -> Register:
        services = self._bus.server.services
        hears = sorted({one.prefix for one in self._bus.reader.subscriptions})
        return Register(
            name=self.name,
            epoch=self._bus.publisher.epoch,
            pid=os.getpid(),
            module=_module_of(type(self)),
            version=_version(),
            services=services,
            hears=hears,
            beat_s=BEAT_S,
            liveness_s=LIVENESS_S,
            start_s=START_S,
            schemas=schema_hashes([*services, *hears]),
            retained=list(self._bus.publisher.retained.values()),
        )

    # What every node hears and answers

    async def _take_up(self, event: Event[MetabolicState]) -> None:
        state = event.body
        if self.metabolic is not None and state.number <= self.metabolic.number:
            return
        await self.metabolic_changed(state)
        self.metabolic = state
        self._beat()

    @serve(Ping)
    async def _ping(self, request: Ping, call: Call) -> Pong:
        return Pong(payload=request.payload)

    @serve(Describe)
    async def _describe(self, request: Describe, call: Call) -> Description:
        return Description(
            name=self.name,
            module=_module_of(type(self)),
            summary=(type(self).__doc__ or "").strip().split("\n")[0],
            services=self._bus.server.services,
            hears=sorted({one.prefix for one in self._bus.reader.subscriptions}),
            says=sorted(self._bus.publisher.sequence),
            params=msgspec.to_builtins(self.params),
        )

    def _guarded(self, handler: Callable[[Event[Any]], Any]) -> Callable[[Event[Any]], Any]:
        """`handler`, whose `Fatal` ends the node; anything else it raises is the subscription's to log and count."""

        async def handle(event: Event[Any]) -> None:
            try:
                await handler(event)
            except Fatal as error:
                self._fail(error)

        return handle

    def _guarded_answer(
        self, answer: Callable[[Any, Call], Awaitable[Any]]
    ) -> Callable[[Any, Call], Coroutine[Any, Any, Any]]:
        """`answer`, whose `Fatal` goes to the caller like any error and ends the node besides."""

        async def give(request: Any, call: Call) -> Any:
            try:
                return await answer(request, call)
            except Fatal as error:
                self._fail(error)
                raise

        return give

    def _task_ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if task.cancelled() or task.exception() is None:
            return
        error = task.exception()
        assert error is not None
        self.log.error("task.failed", task=task.get_name(), exc_info=error)
        if isinstance(error, Fatal):
            self._fail(error)

    def _heart_stopped(self, heartbeat: asyncio.Task[None]) -> None:
        if not heartbeat.cancelled() and (error := heartbeat.exception()) is not None:
            self.log.critical("heartbeat.failed", exc_info=error)
            self._fail(Fatal(f"the heartbeat failed: {error}", place=self.name))

    def _fail(self, error: Fatal) -> None:
        self.log.critical("node.failed", error=str(error))
        self._failure = error
        self._stop_wanted.set()


def _module_of(node_class: type[Node]) -> str:
    """The module as it is imported, also where it runs as `python -m`."""
    if node_class.__module__ != "__main__":
        return node_class.__module__
    main = sys.modules["__main__"]
    return main.__spec__.name if main.__spec__ else str(getattr(main, "__file__", "__main__"))


def _version() -> str:
    try:
        return version("sage-runtime")
    except PackageNotFoundError:
        return "uninstalled"
