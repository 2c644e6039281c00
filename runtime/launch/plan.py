"""What will be run, to the last argument and variable: a `Launch` laid out for this machine, in the order of its start.

Pure: directories, interpreter and the names of registered nodes come in as arguments.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Literal

import msgspec
from msgspec import Struct

from runtime.config import ConfigError, error_at, suggest
from runtime.launch.spec import Backoff, Intensity, Launch, Node, Value, as_text
from runtime.paths import socket_path
from runtime.yamltree import Item

After = dict[str, Literal["started", "ready"]]

NOTIFY_SOCKET = "notify"
CONTROL_SOCKET = "supervisor.sock"
"""Names inside the run directory."""

THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "RAYON_NUM_THREADS",
)


class Process(Struct, frozen=True, kw_only=True):
    """One process to run. `environment` is what it gets beside what the supervisor itself inherited."""

    name: str
    argv: tuple[str, ...]
    environment: dict[str, str]
    after: After
    notify: bool
    start: float
    liveness: float | None
    restart: Literal["never", "on-failure", "always"]
    backoff: Backoff
    intensity: Intensity
    escalation: Literal["node", "dependants", "whole"]
    stop_grace: float
    memory: int | None
    nice: int
    place: str


class Plan(Struct, frozen=True, kw_only=True):
    """Processes in an order in which each comes after all it waits for."""

    file: str
    host: str
    run_dir: str
    state_dir: str
    shutdown: float
    processes: tuple[Process, ...]
    notes: tuple[str, ...]
    """What was decided without being asked, such as an `after` that falls away with the node it names."""


def make_plan(launch: Launch, *, run_dir: Path, state_dir: Path, python: str, module_of: Callable[[str], str]) -> Plan:
    """The plan of `launch`. `module_of` gives the module of a registered node, or raises ConfigError.

    ConfigError for names that nothing has, for circles, and for a launch of nothing.
    """
    if not launch.nodes:
        raise ConfigError("no node is left to run", place=launch.file, remedy="see the conditions under `when`")
    notes: list[str] = []
    afters = {name: _after(launch, name, notes) for name in launch.nodes}
    order = _order(launch, afters)
    processes = tuple(
        _process(
            launch,
            name,
            afters[name],
            _argv(launch, name, python, module_of),
            _ours(name, launch.nodes[name], run_dir, state_dir),
        )
        for name in order
    )
    return Plan(
        file=launch.file,
        host=launch.host,
        run_dir=str(run_dir),
        state_dir=str(state_dir),
        shutdown=launch.shutdown,
        processes=processes,
        notes=tuple(notes),
    )


def _process(launch: Launch, name: str, after: After, argv: tuple[str, ...], ours: dict[str, str]) -> Process:
    node = launch.nodes[name]
    return Process(
        name=name,
        argv=argv,
        environment={**_numeric(node), **launch.environment, **_texts(node.environment), **ours},
        after=after,
        notify=node.notify,
        start=node.start,
        liveness=_liveness(node),
        restart=node.restart,
        backoff=node.backoff,
        intensity=node.intensity,
        escalation=node.escalation,
        stop_grace=node.stop_grace,
        memory=node.memory,
        nice=node.nice,
        place=launch.items[name].place,
    )


def _ours(name: str, node: Node, run_dir: Path, state_dir: Path) -> dict[str, str]:
    """What the supervisor tells a process."""
    ours = {
        "SAGE_NODE": name,
        "SAGE_RUN_DIR": str(run_dir),
        "SAGE_STATE_DIR": str(state_dir),
        "SAGE_PARAMS": msgspec.json.encode(node.params).decode(),
        "SAGE_LOG": "json",
    }
    if node.notify:
        ours["NOTIFY_SOCKET"] = str(socket_path(run_dir, NOTIFY_SOCKET))
    if liveness := _liveness(node):
        ours["WATCHDOG_USEC"] = str(round(liveness * 1e6))
    return ours


def _liveness(node: Node) -> float | None:
    return node.liveness if node.notify and not isinstance(node.liveness, str) else None


def _numeric(node: Node) -> dict[str, str]:
    """Threads that wait passively (spinning ones slow everybody else down), and traces from a process that is stuck."""
    return {
        **dict.fromkeys(THREAD_VARIABLES, str(node.threads)),
        "OMP_WAIT_POLICY": "PASSIVE",
        "PYTHONFAULTHANDLER": "1",
        "PYTHONUNBUFFERED": "1",
    }


def _texts(environment: dict[str, Value]) -> dict[str, str]:
    return {name: as_text(value) for name, value in environment.items()}


def _argv(launch: Launch, name: str, python: str, module_of: Callable[[str], str]) -> tuple[str, ...]:
    node = launch.nodes[name]
    if node.command is not None:
        return tuple(node.command)
    if node.module is not None:
        return (python, "-m", node.module)
    try:
        return (python, "-m", module_of(node.node or ""))
    except ConfigError as error:
        raise error_at(launch.items[name], ("nodes", name, "node"), error.message) from error


def _after(launch: Launch, name: str, notes: list[str]) -> After:
    """What this node waits for, of the nodes that run here."""
    kept: After = {}
    for other, stage in launch.nodes[name].after.items():
        if other in launch.nodes:
            kept[other] = stage
        elif other in launch.absent:
            notes.append(f"{name} does not wait for {other}, which is off here ({launch.absent[other]})")
        else:
            options = [*launch.nodes, *launch.absent]
            item, path = _item_of(launch, name, other), ("nodes", name, "after", other)
            raise error_at(item, path, f"there is no node {other!r}{suggest(other, options)}")
    return kept


def _item_of(launch: Launch, name: str, other: str) -> Item:
    node = launch.items[name].value
    assert isinstance(node, dict)
    after = node["after"].value
    assert isinstance(after, dict)
    return after[other]


def _order(launch: Launch, afters: dict[str, After]) -> list[str]:
    """Names such that each follows all it waits for; as in the file where nothing decides. ConfigError for a circle."""
    order: list[str] = []
    left = dict(afters)
    while left:
        free = [name for name, after in left.items() if not any(other in left for other in after)]
        if not free:
            circle = _circle(left)
            item = _item_of(launch, circle[0], circle[1])
            shown = " → ".join(circle)
            raise error_at(item, ("nodes", circle[0], "after", circle[1]), f"nodes wait for each other: {shown}")
        order += free
        for name in free:
            del left[name]
    return order


def _circle(left: dict[str, After]) -> list[str]:
    """A path that comes back to where it began, among nodes that all wait for another of them."""
    path = [next(iter(left))]
    while True:
        following = next(other for other in left[path[-1]] if other in left)
        if following in path:
            return [*path[path.index(following) :], following]
        path.append(following)
