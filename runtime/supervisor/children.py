"""Children and their true processes: what the state machine decides is done here, and what happens is told to it.

Everything is an event: a notification, the end of a process, a deadline, a wish. Each goes through the state machine of
its child (`child.step`), and what that asks for is done at once, in the same turn of the loop: nothing can come between
a decision and its act.
"""

import asyncio
import os
import signal
from collections.abc import Callable, Iterable, Iterator, Mapping

from msgspec import Struct

from runtime.launch.plan import Process
from runtime.notify import Notification
from runtime.supervisor import system
from runtime.supervisor.capture import Capture
from runtime.supervisor.child import (
    Child,
    Due,
    Event,
    Exited,
    NotSpawned,
    Said,
    Spawned,
    forgiven,
    step,
)
from runtime.supervisor.journal import Journal
from runtime.supervisor.process import Running, inherited, spawn
from runtime.supervisor.state import Counters

STALL_SECONDS = 1.0
"""If a timer comes later than this, we stood still, not the children."""


class _Live(Struct, frozen=True):
    """A process that runs, or has ended and was not yet reaped."""

    name: str
    running: Running
    capture: Capture


class Children(Mapping[str, Child]):
    """The children of a plan by name, in order of their start. `changed` is called after every event."""

    def __init__(
        self, processes: Iterable[Process], journal: Journal, counters: Counters, changed: Callable[[], None]
    ) -> None:
        self._children = {process.name: Child(process=process) for process in processes}
        self._live: dict[int, _Live] = {}
        self._journal = journal
        self._counters = counters
        self._changed = changed
        self._environment = inherited(os.environ)
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None

    def __getitem__(self, name: str) -> Child:
        return self._children[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._children)

    def __len__(self) -> int:
        return len(self._children)

    @property
    def all_reaped(self) -> bool:
        return not self._live

    def apply(self, name: str, event: Event) -> None:
        """Let `event` happen to the child, and do what it asks for."""
        before = self._children[name]
        child, actions = step(before, event, self._loop.time(), _chance())
        self._children[name] = child
        if child.phase != before.phase:
            self._report(before, child)
        for action in actions:
            if action == "spawn":
                self._spawn(name)
            elif child.pid is not None:
                self._live[child.pid].running.signal(action)
        self._arm()
        self._changed()

    def notified(self, notification: Notification) -> None:
        """A datagram came: it belongs to the child whose process, or whose session's leader, sent it."""
        self._counters.notifications += 1
        live = self._live.get(notification.pid) or self._live.get(_session(notification.pid))
        if live is None:
            self._counters.notifications_unattributed += 1
        else:
            self.apply(live.name, Said(notification.fields))

    def reap(self) -> None:
        """Processes have ended: ours, or what they left behind and the kernel gave to us."""
        for pid in _ended():
            live = self._live.pop(pid, None)
            if live is not None:
                system.signal_group(pid, signal.SIGKILL)  # while its zombie holds the number, no other can have it
            status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
            if live is not None:
                live.running.reaped(status)
                self._kill_strays(live.name)
                live.capture.finish()
                self.apply(live.name, Exited(status))

    def _spawn(self, name: str) -> None:
        """Run the process of a child. The decision and the fork are one turn of the loop: no stop can come between."""
        child = self._children[name]
        self._journal.begin(name)
        try:
            running = spawn(child.process, self._environment)
        except (OSError, ValueError) as error:
            reason = f"cannot run {child.process.argv[0]!r}: {getattr(error, 'strerror', None) or error}"
            self.apply(name, NotSpawned(reason))
            return
        for warning in running.warnings:
            self._journal.say("warning", "node.unlimited", about=name, reason=warning)
        self._live[running.pid] = _Live(name, running, Capture(name, running, self._journal.take))
        self.apply(name, Spawned(running.pid))

    def _kill_strays(self, name: str) -> None:
        """Kill what the ended process left in groups of their own."""
        for pid in system.children_of(os.getpid()):
            if pid not in self._live and system.variable_of(pid, "SAGE_NODE") == name:
                os.kill(pid, signal.SIGKILL)
                self._counters.strays_killed += 1

    def _arm(self) -> None:
        """One timer, for the first deadline of all: between events the supervisor sleeps."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        deadlines = [child.deadline for child in self._children.values() if child.deadline is not None]
        if deadlines:
            first = min(deadlines)
            self._timer = self._loop.call_at(first, self._due, first)

    def _due(self, expected: float) -> None:
        now = self._loop.time()
        late = now - expected
        if late > STALL_SECONDS:
            self._journal.say("warning", "supervisor.stalled", seconds=round(late, 3))
            self._children = {name: forgiven(child, now, late) for name, child in self._children.items()}
        for name in self._children:
            self.apply(name, Due())

    def _report(self, before: Child, child: Child) -> None:
        name, now = child.process.name, self._loop.time()
        match child.phase:
            case "starting":
                self._journal.say("info", "node.starting", about=name)
            case "ready" if before.phase in ("starting", "waiting", "backoff"):
                self._journal.say("info", "node.ready", about=name, seconds=round(now - before.since, 3))
            case "ready":
                self._journal.say("info", "node.recovered", about=name)
            case "degraded":
                self._journal.say("warning", "node.degraded", about=name, status=child.status)
            case "stopping" if child.reason:
                self._journal.say("warning", "node.stopping", about=name, reason=child.reason)
            case "stopped":
                self._journal.say("info", "node.stopped", about=name, exit=child.exit)
            case "backoff":
                wait = round((child.deadline or now) - now, 3)
                self._journal.say("warning", "node.restarting", about=name, reason=child.reason, seconds=wait)
            case "failed":
                last = self._journal.last_lines(name)
                self._journal.say("error", "node.failed", about=name, reason=child.reason, last=last)


def _ended() -> Iterable[int]:
    """Our children that have ended, each still unreaped when it is yielded; the caller reaps it."""
    while True:
        try:
            found = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            return
        if found is None:
            return
        yield found.si_pid


def _session(pid: int) -> int:
    try:
        return os.getsid(pid)
    except ProcessLookupError:
        return 0


def _chance() -> float:
    """A number in 0..1 for the jitter of a backoff."""
    return int.from_bytes(os.urandom(4)) / 2**32
