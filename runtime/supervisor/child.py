"""The life of one supervised process as a pure state machine.

`step(child, event, now, chance)` gives the child as it is then and what must be done. No clock, no process, no
randomness: they are arguments.

    waiting ─▶ starting ─▶ ready ⇄ degraded ─▶ stopping ─▶ stopped
                  ▲           │         │          │
                  │           └─────────┴──────────┤ it failed
                  └────────── backoff ◀────────────┴────▶ failed (for good)
"""

import signal
from typing import Literal

import msgspec
from msgspec import Struct

from runtime.launch.plan import Process
from runtime.units import format_duration

Phase = Literal["waiting", "starting", "ready", "degraded", "stopping", "stopped", "backoff", "failed"]
Action = Literal["spawn", "terminate", "abort", "kill"]
"""terminate is SIGTERM, abort is SIGABRT (a stuck Python prints where it hangs), kill is SIGKILL, each to the group."""

ALIVE: frozenset[Phase] = frozenset({"starting", "ready", "degraded", "stopping"})
UP: frozenset[Phase] = frozenset({"ready", "degraded"})

_STATES: dict[str, Phase] = {"ready": "ready", "degraded": "degraded"}

EXIT_CONFIG = 2
"""The process says that its parameters or configuration are wrong. It is not started again: it would say so again."""

ABORT_GRACE = 1.0
"""Seconds a stuck process has to print its stack."""


class Start(Struct, frozen=True):
    """Run it: what it waits for has come, or somebody asks for it."""


class Spawned(Struct, frozen=True):
    pid: int


class NotSpawned(Struct, frozen=True):
    """The program cannot be run at all."""

    reason: str


class Said(Struct, frozen=True):
    """Fields of a notification, see `runtime.notify`."""

    fields: dict[str, str]


class Exited(Struct, frozen=True):
    """It has ended: with a code ≥ 0, or by signal −status."""

    status: int


class Due(Struct, frozen=True):
    """`deadline` has passed."""


class Stop(Struct, frozen=True):
    """End it in order and leave it ended."""

    reason: str = ""


class Restart(Struct, frozen=True):
    """End it in order and start it again; it does not count as a failure."""


class Kill(Struct, frozen=True):
    """End it now and leave it ended."""


Event = Start | Spawned | NotSpawned | Said | Exited | Due | Stop | Restart | Kill


class Child(Struct, frozen=True, kw_only=True):
    """One process and its history. Times are monotonic seconds."""

    process: Process
    phase: Phase = "waiting"
    since: float = 0.0
    """when this phase began"""
    deadline: float | None = None
    """when `Due` must be sent, if nothing happens before"""
    pid: int | None = None
    status: str = ""
    """its own words"""
    reason: str = ""
    """why it stops, waits for its restart, or has failed"""
    wanted: bool = True
    """someone wants it to run; cleared by Stop and Kill"""
    again: bool = False
    """start it as soon as it has ended"""
    restarts: tuple[float, ...] = ()
    """when it was restarted after a failure, within the window of its intensity"""
    total_restarts: int = 0
    exit: int | None = None
    """how it ended last"""


def step(child: Child, event: Event, now: float, chance: float) -> tuple[Child, tuple[Action, ...]]:
    """The child after `event` at time `now`, and what to do. `chance` in 0..1 places the jitter of a backoff."""
    match event:
        case Start():
            return _start(child, now)
        case Spawned(pid):
            return _with(child, pid=pid), ()
        case NotSpawned(reason):
            return _enter(child, "failed", now, reason=reason), ()
        case Said(fields):
            return _said(child, fields, now), ()
        case Exited(status):
            return _exited(child, status, now, chance)
        case Due():
            return _due(child, now)
        case Stop(reason):
            return _stop(_with(child, wanted=False, again=False), reason, now)
        case Restart():
            return _restart(child, now)
        case Kill():
            return _kill(_with(child, wanted=False, again=False), now)


def forgiven(child: Child, now: float, lost: float) -> Child:
    """The child after the supervisor itself stood still for `lost` seconds, in which nobody's word could reach it.

    Who is up gets a full period for the next beat: those of the meantime may have found no room in the socket.
    """
    if child.deadline is None:
        return child
    return _with(child, deadline=_silence(child, now) if child.phase in UP else child.deadline + lost)


def describe_exit(status: int) -> str:
    """`exited with 3`, `was killed by SIGSEGV`."""
    if status >= 0:
        return f"exited with {status}"
    try:
        return f"was killed by {signal.Signals(-status).name}"
    except ValueError:
        return f"was killed by signal {-status}"


def _start(child: Child, now: float) -> tuple[Child, tuple[Action, ...]]:
    if child.phase == "stopping":
        return _with(child, wanted=True, again=True), ()
    if child.phase in ALIVE:
        return child, ()
    fresh = _with(
        child, wanted=True, again=False, restarts=() if child.phase in ("failed", "stopped") else child.restarts
    )
    return _spawn(fresh, now)


def _spawn(child: Child, now: float) -> tuple[Child, tuple[Action, ...]]:
    if not child.process.notify:
        return _enter(child, "ready", now, status="", pid=None), ("spawn",)
    return _enter(child, "starting", now, deadline=now + child.process.start, status="", pid=None), ("spawn",)


def _said(child: Child, fields: dict[str, str], now: float) -> Child:
    child = _with(child, status=fields.get("STATUS", child.status))
    if child.phase in ("starting", "stopping") and (more := fields.get("EXTEND_TIMEOUT_USEC", "")).isdigit():
        asked = now + int(more[:15]) / 1e6
        child = _with(child, deadline=max(child.deadline or now, asked))
    if child.phase in ("starting", "ready", "degraded"):
        if fields.get("STOPPING") == "1":
            return _enter(child, "stopping", now, deadline=now + child.process.stop_grace)
        child = _beat(_state(child, fields, now), fields, now)
    return child


def _state(child: Child, fields: dict[str, str], now: float) -> Child:
    phase: Phase = "ready" if fields.get("READY") == "1" else child.phase
    phase = _STATES.get(fields.get("X_SAGE_STATE", ""), phase)
    if phase == child.phase:
        return child
    deadline = _silence(child, now) if child.phase == "starting" else child.deadline
    return _enter(child, phase, now, deadline=deadline)


def _beat(child: Child, fields: dict[str, str], now: float) -> Child:
    if child.phase in UP and (fields.get("WATCHDOG") == "1" or fields.get("READY") == "1"):
        return _with(child, deadline=_silence(child, now))
    return child


def _silence(child: Child, now: float) -> float | None:
    """Until when the next beat must come."""
    return None if child.process.liveness is None else now + child.process.liveness


def _due(child: Child, now: float) -> tuple[Child, tuple[Action, ...]]:
    if child.deadline is None or now < child.deadline:
        return child, ()
    match child.phase:
        case "starting":
            reason = f"not ready within {format_duration(child.process.start)}"
            return _enter(child, "stopping", now, deadline=now + ABORT_GRACE, reason=reason), ("abort",)
        case "ready" | "degraded":
            reason = f"gave no sign of life for {format_duration(child.process.liveness or 0)}"
            return _enter(child, "stopping", now, deadline=now + ABORT_GRACE, reason=reason), ("abort",)
        case "stopping":
            return _with(child, deadline=None), ("kill",)
        case "backoff":
            return _spawn(_with(child, total_restarts=child.total_restarts + 1), now)
        case _:
            return child, ()


def _exited(child: Child, status: int, now: float, chance: float) -> tuple[Child, tuple[Action, ...]]:
    before = child.phase
    child = _with(child, pid=None, exit=status, deadline=None)
    if child.again:
        return _spawn(_with(child, again=False, restarts=(), reason=""), now)
    if not child.wanted:
        return _enter(child, "stopped", now), ()
    failure = child.reason if before == "stopping" and child.reason else ""
    if not failure and (status != 0 or before == "starting"):
        failure = describe_exit(status) + (" before it was ready" if before == "starting" else "")
    if not failure and child.process.restart != "always":
        return _enter(child, "stopped", now, reason="finished"), ()
    if child.process.restart == "never" or status == EXIT_CONFIG:
        return _enter(child, "failed", now, reason=failure), ()
    return _back_off(child, failure or "finished", now, chance), ()


def _back_off(child: Child, reason: str, now: float, chance: float) -> Child:
    """Wait for the next restart, or give up where there were too many."""
    intensity, backoff = child.process.intensity, child.process.backoff
    recent = tuple(at for at in child.restarts if now - at < intensity.within)
    if len(recent) >= intensity.restarts:
        within = format_duration(intensity.within)
        given_up = f"{reason}; given up after {len(recent)} restarts within {within}" if recent else reason
        return _enter(child, "failed", now, reason=given_up, restarts=recent)
    delay = min(backoff.cap, backoff.first * backoff.factor ** min(len(recent), 64))
    delay *= 1 + backoff.jitter * (2 * chance - 1)
    return _enter(child, "backoff", now, deadline=now + delay, reason=reason, restarts=(*recent, now))


def _stop(child: Child, reason: str, now: float) -> tuple[Child, tuple[Action, ...]]:
    if child.phase in ("starting", "ready", "degraded"):
        deadline = now + child.process.stop_grace
        return _enter(child, "stopping", now, deadline=deadline, reason=reason), ("terminate",)
    if child.phase in ("waiting", "backoff"):
        return _enter(child, "stopped", now, reason=reason or child.reason), ()
    return child, ()


def _restart(child: Child, now: float) -> tuple[Child, tuple[Action, ...]]:
    if child.phase not in ALIVE:
        return _start(child, now)
    ending, actions = _stop(child, "restart asked for", now)
    return _with(ending, wanted=True, again=True), actions


def _kill(child: Child, now: float) -> tuple[Child, tuple[Action, ...]]:
    if child.phase in ALIVE:
        return _enter(child, "stopping", now), ("kill",)
    return _stop(child, "", now)


def _enter(child: Child, phase: Phase, now: float, **changes: object) -> Child:
    """The child in a new phase; a deadline belongs to its phase and ends with it."""
    reason = "" if phase in UP else child.reason
    return _with(child, **{"phase": phase, "since": now, "deadline": None, "reason": reason, **changes})


def _with(child: Child, **changes: object) -> Child:
    return msgspec.structs.replace(child, **changes)
