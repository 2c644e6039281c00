"""What every node says of itself."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import msgspec


class NodeState(StrEnum):
    STARTING = "starting"
    READY = "ready"
    DEGRADED = "degraded"
    STOPPING = "stopping"
    STOPPED = "stopped"
    FAILED = "failed"


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """The heartbeat of a node, said about once a second, and at once when its state changes."""

    state: NodeState
    reason: str = ""
    metabolic_number: int = 0
    """The metabolic transition this node has taken up; 0 before the first."""
    retained: dict[str, int] = {}
    """Topic → sequence of the last retained value said: what the hub should hold."""
    uptime_s: float = 0.0
    cpu_s: float = 0.0
    """Processor seconds (user and system) since the process began."""
    rss_bytes: int = 0
    open_files: int = 0
    loop_lag_ms: float = 0.0
    """How late the last heartbeat was: what a handler that blocks the loop looks like."""
    stats: dict[str, dict[str, float]] = {}
    """The `stats()` record of every queue, link, store and cache of the node, by name."""


class Ping(msgspec.Struct, frozen=True, kw_only=True):
    payload: bytes = b""


class Pong(msgspec.Struct, frozen=True, kw_only=True):
    payload: bytes = b""


class Describe(msgspec.Struct, frozen=True, kw_only=True):
    """Ask a node what it does."""


class Description(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    module: str
    summary: str
    """First line of the node's docstring."""
    services: list[str]
    hears: list[str]
    says: list[str]
    """Topics it has said something on so far."""
    params: dict[str, Any]
