"""Who may start, who may stop, and who falls with whom: decisions over all children at once, without side effects."""

from collections.abc import Mapping
from typing import Literal

from runtime.supervisor.child import ALIVE, UP, Child, Phase

Children = Mapping[str, Child]

_RUNNING = ALIVE - {"stopping"}
_REACHED: dict[str, frozenset[Phase]] = {"started": _RUNNING, "ready": UP}


def startable(children: Children) -> list[str]:
    """Children that wait and whose predecessors have all come as far as they ask."""
    return [name for name, child in children.items() if child.phase == "waiting" and not missing(children, child)]


def missing(children: Children, child: Child) -> list[str]:
    """What `child` still waits for: `hub (ready)`."""
    return [
        f"{other} ({stage})"
        for other, stage in child.process.after.items()
        if children[other].phase not in _REACHED[stage]
    ]


def stoppable(children: Children) -> list[str]:
    """Children that are not yet asked to stop, and that nobody alive is `after`: the next wave of a shutdown.

    Those that do not run, or are ending, are told at once: nobody can need them, and none may be started again.
    """
    needed = {other for child in children.values() if child.phase in ALIVE for other in child.process.after}
    return [
        name
        for name, child in children.items()
        if (child.wanted or child.again) and (name not in needed or child.phase not in _RUNNING)
    ]


def dependants(children: Children, name: str) -> list[str]:
    """All that are `after` the named child, directly or through others, in order of their start."""
    falling = {name}
    for other, child in children.items():  # in order of start, so that one pass is enough
        if falling.intersection(child.process.after):
            falling.add(other)
    return [other for other in children if other in falling and other != name]


def all_ended(children: Children) -> bool:
    return not any(child.phase in ALIVE for child in children.values())


def nothing_left(children: Children) -> bool:
    """No child lives or will: what waits now waits for something that is over."""
    alive = any(child.phase in ALIVE or child.phase == "backoff" for child in children.values())
    return not alive and not startable(children)


def outcome(children: Children) -> Literal["ready", "failed"] | None:
    """`ready` once every child is up or has finished its work, `failed` as soon as one has failed for good."""
    if any(child.phase == "failed" for child in children.values()):
        return "failed"
    return "ready" if all(child.phase in UP or child.phase == "stopped" for child in children.values()) else None
