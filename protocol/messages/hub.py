"""What the hub and its nodes tell each other: who is here, and what was said before you came."""

from __future__ import annotations

import msgspec

from protocol.messages.node import Health, NodeState


class NodeRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One node as the hub sees it."""

    name: str
    state: NodeState
    reason: str = ""
    module: str = ""
    version: str = ""
    pid: int = 0
    epoch: int = 0
    services: list[str] = []
    hears: list[str] = []
    since_ns: int = 0
    """Wall time of the last change of state."""
    beat_ns: int = 0
    """Wall time of the last heartbeat."""
    health: Health | None = None


class Registry(msgspec.Struct, frozen=True, kw_only=True):
    """Everyone who is here, or was and has not been forgotten."""

    hub_epoch: int
    nodes: list[NodeRecord]


class Retained(msgspec.Struct, frozen=True, kw_only=True):
    """A retained value as it was said: the whole message."""

    topic: str
    frame: bytes


class Register(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    epoch: int
    pid: int
    module: str = ""
    version: str = ""
    services: list[str] = []
    hears: list[str] = []
    beat_s: float = 1.0
    """Seconds between heartbeats; after `liveness_s` without one the node counts as lost."""
    liveness_s: float = 5.0
    start_s: float = 120.0
    """Seconds that it may stay in `starting` without a heartbeat: models load slowly."""
    schemas: dict[str, str] = {}
    """Topic or service → hash of the schema this node was built with."""
    retained: list[Retained] = []
    """What it has said on retained topics: a hub that was restarted has it back at once."""


class Registered(msgspec.Struct, frozen=True, kw_only=True):
    hub_epoch: int
    hub_pid: int
    schema_conflicts: list[str] = []
    """Topics and services that this node and the hub read differently."""


class Sync(msgspec.Struct, frozen=True, kw_only=True):
    """Ask the hub to say `hub/sync/<token>` on the event plane: hearing it proves that earlier subscriptions live."""

    token: str


class Synced(msgspec.Struct, frozen=True, kw_only=True):
    token: str


class SnapshotRequest(msgspec.Struct, frozen=True, kw_only=True):
    topics: list[str]
    """Topic prefixes as subscribed; an empty string asks for all."""


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    values: list[Retained]


class ListNodes(msgspec.Struct, frozen=True, kw_only=True):
    """Ask who is here."""


class StatsRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Ask the hub for its counters."""


class HubStats(msgspec.Struct, frozen=True, kw_only=True):
    counters: dict[str, dict[str, float]]
