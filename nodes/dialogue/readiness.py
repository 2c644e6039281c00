"""Which workers have their model in memory, and what that is worth in a choice. Values in, values out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated

import msgspec

from runtime.units import Duration


class ReadinessSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    within: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.02
    """Utility that a model in memory may fall short of one that has to be loaded first."""
    resident: Duration = 60.0
    """For so long a model that was just loaded is held on to, so that its loading was not in vain: for so long it may
    fall short by `resident_within`."""
    resident_within: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.05


@dataclass(frozen=True)
class Readiness:
    """Of one worker's model."""

    loaded: bool = True
    load_s: float = 0.0
    """What loading took when it was last done; 0 where that is not known."""
    since_s: float | None = None
    """How long it has been loaded; None where that is not known."""


@dataclass(frozen=True)
class Loaded:
    """What a worker's heartbeat said of its model."""

    loaded: bool
    load_s: float
    since_ns: int | None
    """Monotonic time of the heartbeat that first said so; None where it was the first of all."""


def heard(before: Loaded | None, model: Mapping[str, float], now_ns: int) -> Loaded:
    """`model`: the worker's stats of that name."""
    is_loaded = bool(model["loaded"])
    since_ns = None if before is None or not is_loaded else before.since_ns if before.loaded else now_ns
    return Loaded(is_loaded, model.get("load_s", 0.0), since_ns)


def ready(known: Mapping[str, Loaded], now_ns: int) -> dict[str, Readiness]:
    """Worker → how its model stands now."""
    return {
        worker: Readiness(one.loaded, one.load_s, None if one.since_ns is None else (now_ns - one.since_ns) / 1e9)
        for worker, one in known.items()
    }


READY = Readiness()
"""Of a worker that says nothing of itself: nothing is held against it."""


def preferred(worth: Sequence[float], ready: Sequence[Readiness], settings: ReadinessSettings) -> tuple[int, str]:
    """The option of the highest utility, or one in memory that falls little short of it; and why, if the latter."""
    best = max(range(len(worth)), key=lambda at: worth[at])
    if ready[best].loaded:
        return best, ""
    near = [
        at for at in range(len(worth)) if ready[at].loaded and worth[at] >= worth[best] - _short(ready[at], settings)
    ]
    if not near:
        return best, ""
    at = max(near, key=lambda one: worth[one])
    return at, f"it is loaded, and worth only {worth[best] - worth[at]:.3f} less than one that is not"


def too_late(ready: Readiness, remaining_s: float | None) -> bool:
    """Whether the model cannot be there before the asker gives up."""
    return not ready.loaded and remaining_s is not None and ready.load_s > remaining_s


def _short(ready: Readiness, settings: ReadinessSettings) -> float:
    fresh = ready.since_s is not None and ready.since_s < settings.resident
    return settings.resident_within if fresh else settings.within
