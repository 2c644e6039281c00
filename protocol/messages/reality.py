"""What is taken to be so until surprise breaks it. Asked of dialogue, which keeps it."""

from __future__ import annotations

import msgspec


class AssumptionShown(msgspec.Struct, frozen=True, kw_only=True):
    key: str
    level: str
    """`sensory`, `environment`, `context` or `abstract`."""
    standing: str
    """`held`, `doubted` or `broken`."""
    statement: str
    confidence: float
    """0..1, what is left of it now."""
    bar: float = 0.0
    """Confidence from which it is relied on."""
    why: str = ""
    """Why it is not held."""
    revision: int = 0
    """Counts what its value has been."""
    made_ns: int = 0
    verified_ns: int = 0
    """Wall time."""
    rests_on: list[str] = []
    """Keys."""
    bears: list[str] = []
    """Keys of what rests directly on it; at most 20."""
    bears_count: int = 0


class CascadeShown(msgspec.Struct, frozen=True, kw_only=True):
    """An assumption that was broken, and how much followed."""

    key: str
    why: str
    surprise: float
    followed: int
    depth: int
    seconds: float
    at_ns: int


class ListAssumptions(msgspec.Struct, frozen=True, kw_only=True):
    level: str = ""
    """Only of this one; empty: all."""
    most: int = 50


class Assumptions(msgspec.Struct, frozen=True, kw_only=True):
    assumptions: list[AssumptionShown]
    """The most recently used first."""
    cascades: list[CascadeShown]
    """The latest first."""
    stats: dict[str, float]


class ExplainAssumption(msgspec.Struct, frozen=True, kw_only=True):
    """Ask for one, by its key or a beginning that no other has, or by an exchange that was answered from it."""

    ident: str


class AssumptionExplained(msgspec.Struct, frozen=True, kw_only=True):
    assumption: AssumptionShown
    supports: list[AssumptionShown]
    """All it rests on, directly or not."""
    cascades: list[CascadeShown]
    distance_verify: float | None
    """The least distance of an observation that would have it verified now; None where none would."""
    distance_rebuild: float | None
    """The same for having it rebuilt."""


class ForgetAssumptions(msgspec.Struct, frozen=True, kw_only=True):
    """Take out one by its key or a beginning that no other has, or all of a conversation, or everything."""

    ident: str = ""
    session: str = ""
    everything: bool = False


class AssumptionsForgotten(msgspec.Struct, frozen=True, kw_only=True):
    forgotten: int
    broken: int
    """Of those that are left, the ones that rested on what was forgotten."""


class ObserveAssumption(msgspec.Struct, frozen=True, kw_only=True):
    """Say what was seen of an assumption: a value in words, or how far off it is."""

    ident: str
    """As for explaining."""
    value: str | None = None
    distance: float | None = None
    """0 it is so … 1 it is not."""
    reliability: float = 1.0
    """0..1, how often the observer is right."""
    by: str = ""
    refutes: bool = False
    """The observer knows: the value is not believed again unless somebody verifies it."""


class AssumptionObserved(msgspec.Struct, frozen=True, kw_only=True):
    key: str
    distance: float
    confidence: float
    centrality: float
    surprise: float
    response: str
    """`go on`, `verify` or `rebuild`."""
    standing: str
    followed: int
    """Assumptions broken because they rested on it."""


class RealitySurprised(msgspec.Struct, frozen=True, kw_only=True):
    """Said when an assumption was doubted or broken."""

    key: str
    level: str
    surprise: float
    response: str
    followed: int
    why: str = ""
