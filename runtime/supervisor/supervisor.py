"""The supervisor: runs a plan until it is told to stop or there is nothing left to run."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from msgspec import Struct

from runtime.config import suggest
from runtime.launch.plan import NOTIFY_SOCKET, Plan
from runtime.notify import Notifier, NotifyServer
from runtime.supervisor import order, state, system
from runtime.supervisor.child import ALIVE, UP, Event, Kill, Restart, Start, Stop
from runtime.supervisor.children import Children
from runtime.supervisor.console import Console
from runtime.supervisor.control import BadControl, ControlServer, Reply, Request
from runtime.supervisor.guard import EXIT_KILLED
from runtime.supervisor.journal import Journal
from runtime.supervisor.state import Counters, NodeState, SupervisorState, node_state

EXIT_CLEAN = 0
EXIT_NODE_FAILED = 1

KILL_PATIENCE = 5.0
"""Seconds to wait for processes after SIGKILL; the kernel may hold one that waits for a device."""


class Outcome(Struct, frozen=True, kw_only=True):
    """How the start went: told once, as soon as it is known."""

    ready: bool
    reason: str = ""
    """which node failed, and why"""
    last: list[str] = []
    """what it printed last"""
    seconds: float = 0.0
    pid: int = 0


class Supervisor:
    """Runs one plan; made inside a running loop. `tell` hears the outcome of the start."""

    def __init__(self, plan: Plan, console: Console, tell: Callable[[Outcome], None]) -> None:
        self._plan = plan
        self._run_dir = Path(plan.run_dir)
        self._loop = asyncio.get_running_loop()
        self._counters = Counters()
        self._console = console
        self._journal = Journal(Path(plan.state_dir), console, self._counters)
        self._children = Children(plan.processes, self._journal, self._counters, self._schedule)
        self._notify = NotifyServer(self._run_dir / NOTIFY_SOCKET, self._children.notified)
        self._control = ControlServer(self._run_dir, self._answer)
        self._above = Notifier()  # systemd, when it runs us
        self._tell: Callable[[Outcome], None] | None = tell
        self._since = time.time()
        self._offset = time.time() - time.monotonic()
        self._stopping = False
        self._killed = False
        self._considering = False
        self._escalated: set[str] = set()
        self._shown: list[NodeState] = []
        self._changed = asyncio.Event()
        self._over = asyncio.Event()

    async def run(self) -> int:
        """Start everything, keep it running, stop everything; the exit code."""
        async with self._opened():
            self._consider()
            await self._over.wait()
        return self._exit_code()

    @asynccontextmanager
    async def _opened(self) -> AsyncIterator[None]:
        """Sockets, signals and log files for as long as it lasts; afterwards no process is left."""
        system.adopt_orphans()
        self._notify.open()
        await self._control.open()
        self._loop.add_signal_handler(signal.SIGCHLD, self._children.reap)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            self._loop.add_signal_handler(number, self._asked_to_end, number.name)
        self._loop.add_signal_handler(signal.SIGQUIT, self._kill_now)
        self._beat_above()
        try:
            yield
        finally:
            self._counters.strays_killed += system.kill_descendants()
            self._publish()
            self._journal.say("info", "supervisor.ended", exit=self._exit_code())
            self._control.close()
            self._notify.close()
            self._journal.close()
            self._console.close()

    def _schedule(self) -> None:
        if not self._considering:
            self._considering = True
            self._loop.call_soon(self._consider)

    def _consider(self) -> None:
        """After any change: who falls with whom, who may start, who may stop, and whether it is over."""
        self._considering = False
        self._escalate()
        for name in order.stoppable(self._children) if self._stopping else ():
            self._children.apply(name, Stop())
        for name in order.startable(self._children) if not self._stopping else ():
            self._children.apply(name, Start())
        over = order.all_ended(self._children) if self._stopping else order.nothing_left(self._children)
        if over and self._children.all_reaped:
            self._over.set()
        self._tell_outcome()
        self._publish()

    def _escalate(self) -> None:
        """Let what each newly failed node takes with it fall."""
        failed = {name for name, child in self._children.items() if child.phase == "failed"}
        for name in failed - self._escalated:
            reason = f"{name} failed"
            match self._children[name].process.escalation:
                case "whole":
                    self._shut_down(reason)
                case "dependants":
                    for other in reversed(order.dependants(self._children, name)):
                        self._children.apply(other, Stop(reason))
        self._escalated = failed

    def _shut_down(self, reason: str) -> None:
        """Stop everything in order, under one deadline. From now on nothing starts."""
        if self._stopping:
            return
        self._stopping = True
        self._journal.say("info", "supervisor.stopping", reason=reason)
        self._above.stopping(reason)
        self._loop.call_later(self._plan.shutdown, self._kill_all)
        self._schedule()

    def _asked_to_end(self, why: str) -> None:
        if self._stopping:
            self._kill_now()
        else:
            self._shut_down(why)

    def _kill_now(self) -> None:
        self._killed = True
        self._kill_all()

    def _kill_all(self) -> None:
        self._stopping = True
        for name, child in self._children.items():
            if child.phase in ALIVE:
                self._journal.say("warning", "node.killed", about=name)
            self._children.apply(name, Kill())
        self._loop.call_later(KILL_PATIENCE, self._over.set)

    def _exit_code(self) -> int:
        if self._killed:
            return EXIT_KILLED
        failed = any(child.phase == "failed" for child in self._children.values())
        return EXIT_NODE_FAILED if failed else EXIT_CLEAN

    async def _answer(self, request: Request) -> Reply:
        match request.do:
            case "status":
                return Reply(state=self._state())
            case "wait":
                await self._until(lambda: self._stopping or order.outcome(self._children) is not None, request.timeout)
                return Reply(state=self._state())
            case "down":
                self._shut_down("asked to")
                return Reply(state=self._state())
            case _:
                return await self._answer_about_node(request)

    async def _answer_about_node(self, request: Request) -> Reply:
        name = request.node
        if name not in self._children:
            known = suggest(name, self._children) or f"; there are {', '.join(self._children)}"
            raise BadControl(f"there is no node {name!r}{known}")
        if self._stopping:
            raise BadControl("everything is being stopped", remedy="sage up, once it has ended")
        events: dict[str, Event] = {"start": Start(), "stop": Stop("asked to"), "restart": Restart()}
        settled = {"stopped", "failed"} | (set() if request.do == "stop" else UP)
        spawned_before = self._children[name].pid if request.do == "restart" else None
        self._children.apply(name, events[request.do])
        await self._until(
            lambda: (child := self._children[name]).phase in settled and child.pid != (spawned_before or -1),
            request.timeout,
        )
        return Reply(node=self._node_state(name))

    async def _until(self, reached: Callable[[], bool], timeout: float) -> None:
        """Wait until `reached`, or the time is up: the caller sees by the state which it was."""
        try:
            async with asyncio.timeout(timeout):
                while not reached():
                    await self._changed.wait()
        except TimeoutError:
            return

    def _tell_outcome(self) -> None:
        if self._tell is None:
            return
        came_out = order.outcome(self._children)
        if came_out is None and not self._stopping:
            return
        tell, self._tell = self._tell, None
        seconds = round(time.time() - self._since, 3)
        if came_out == "ready" and not self._stopping:
            self._journal.say("info", "supervisor.ready", nodes=len(self._children), seconds=seconds)
            self._above.ready()
            tell(Outcome(ready=True, seconds=seconds, pid=os.getppid()))
            return
        failed = [child for child in self._children.values() if child.phase == "failed"]
        reason = "; ".join(f"{child.process.name}: {child.reason}" for child in failed) or "stopped before it was ready"
        last = self._journal.last_lines(failed[0].process.name) if failed else []
        tell(Outcome(ready=False, reason=reason, last=last, seconds=seconds, pid=os.getppid()))

    def _publish(self) -> None:
        """Write the state down and wake those who wait for a change, if there is one to see."""
        shown = [self._node_state(name) for name in self._children]
        if shown == self._shown:
            return
        self._shown = shown
        self._changed.set()
        self._changed = asyncio.Event()
        try:
            state.write(self._run_dir, self._state())
        except OSError as error:
            self._journal.say("error", "supervisor.state_unwritten", reason=str(error))

    def _state(self) -> SupervisorState:
        self._counters.notifications_malformed = self._notify.stats.malformed
        self._counters.notifications_foreign = self._notify.stats.foreign
        return SupervisorState(
            pid=os.getpid(),
            guard=os.getppid(),
            since=self._since,
            file=self._plan.file,
            host=self._plan.host,
            state_dir=self._plan.state_dir,
            stopping=self._stopping,
            nodes=[self._node_state(name) for name in self._children],
            counters=self._counters,
        )

    def _node_state(self, name: str) -> NodeState:
        child = self._children[name]
        waits_for = order.missing(self._children, child) if child.phase == "waiting" else []
        return node_state(child, waits_for, self._offset)

    def _beat_above(self) -> None:
        if self._above.watchdog is not None:
            self._above.beat()
            self._loop.call_later(self._above.watchdog / 2, self._beat_above)
