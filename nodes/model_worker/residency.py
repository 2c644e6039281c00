"""Which metabolic state holds which model in memory. A table, no more."""

from enum import Enum
from typing import Literal

from protocol.messages.metabolism import Metabolic, MetabolicState


class Residency(Enum):
    HELD = "held"
    """Loaded now, so that the next answer does not wait."""
    ON_DEMAND = "on_demand"
    """As it is; the next request loads it."""
    UNLOADED = "unloaded"
    """Out of memory, until the next request all the same."""


def residency(state: MetabolicState, dream: Literal["unload", "hold"]) -> Residency:
    """What the state asks of a model; `dream` is its level's setting."""
    if not state.policy.keep_models:
        teaches = state.policy.dream and dream == "hold"
        return Residency.ON_DEMAND if teaches else Residency.UNLOADED
    return Residency.HELD if state.state in (Metabolic.FOCUS, Metabolic.CRISIS) else Residency.ON_DEMAND
