"""What a supervisor shows of itself: `supervisor.json` in the run directory, and the answer to `status`."""

from pathlib import Path

import msgspec
from msgspec import Struct

from runtime.paths import write_atomically
from runtime.supervisor.child import Child, Phase

STATE_FILE = "supervisor.json"


class NodeState(Struct, frozen=True, kw_only=True):
    """One child. `since` is Unix time."""

    name: str
    phase: Phase
    since: float
    pid: int | None = None
    status: str = ""
    reason: str = ""
    waits_for: list[str] = []
    restarts: int = 0
    exit: int | None = None
    place: str = ""


class Counters(Struct, kw_only=True):
    """What was received, and what was lost and where: nothing is dropped silently."""

    notifications: int = 0
    notifications_malformed: int = 0
    notifications_foreign: int = 0
    notifications_unattributed: int = 0
    log_lines: int = 0
    log_lines_unwritten: int = 0
    """the disk would not take them"""
    console_lines_dropped: int = 0
    """the terminal was too slow; the log files have them"""
    strays_killed: int = 0
    """processes that a node left behind"""


class SupervisorState(Struct, frozen=True, kw_only=True):
    """The whole. `guard` is the process that started it and cleans up after it."""

    pid: int
    guard: int
    since: float
    file: str
    host: str
    state_dir: str
    stopping: bool
    nodes: list[NodeState]
    counters: Counters


def node_state(child: Child, waits_for: list[str], offset: float) -> NodeState:
    """What is shown of `child`; `offset` turns its monotonic times into Unix times."""
    return NodeState(
        name=child.process.name,
        phase=child.phase,
        since=child.since + offset,
        pid=child.pid,
        status=child.status,
        reason=child.reason,
        waits_for=waits_for,
        restarts=child.total_restarts,
        exit=child.exit,
        place=child.process.place,
    )


def write(run_dir: Path, state: SupervisorState) -> None:
    write_atomically(run_dir / STATE_FILE, msgspec.json.encode(state))


def read(run_dir: Path) -> SupervisorState | None:
    """What the last supervisor of `run_dir` wrote, None if there is nothing readable."""
    try:
        return msgspec.json.decode((run_dir / STATE_FILE).read_bytes(), type=SupervisorState)
    except (OSError, msgspec.MsgspecError):
        return None
