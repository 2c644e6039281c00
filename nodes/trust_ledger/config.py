"""What `configs/trust.yaml` says, typed."""

from __future__ import annotations

from typing import Annotated

import msgspec

from nodes.trust_ledger.drift import DriftConfig
from nodes.trust_ledger.features import FAMILIES
from nodes.trust_ledger.tensors import ReputationRules
from runtime.units import Duration

Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
Inner = Annotated[float, msgspec.Meta(gt=0, lt=1)]
Weight = Annotated[float, msgspec.Meta(ge=0, le=100)]
Spread = Annotated[float, msgspec.Meta(gt=0, le=10)]
SPREADS = {
    "level": 1.0,
    "context": 0.6,
    "cluster": 1.2,
    "length": 0.4,
    "shape": 0.8,
    "depth": 0.3,
    "session": 0.1,
}


class PriorConfig(msgspec.Struct, frozen=True, kw_only=True):
    default: Inner
    levels: dict[str, Inner] = {}
    spreads: dict[str, Spread] = msgspec.field(default_factory=lambda: dict(SPREADS))
    """Family of features → standard deviation of their weights, in log-odds."""

    def __post_init__(self) -> None:
        if set(self.spreads) != set(FAMILIES):
            raise ValueError(f"spreads name {', '.join(FAMILIES)}, each of them and nothing else")

    def of(self, level: str) -> float:
        return self.levels.get(level, self.default)


class Weights(msgspec.Struct, frozen=True, kw_only=True):
    default: Weight = 1.0
    sources: dict[str, Weight] = {}
    validation_at_most: Weight = 20.0
    """Outcomes that all questions of a validation are worth together."""

    def of(self, source: str, count: int = 1) -> float:
        """What `count` judgements of the source, told as one, are worth."""
        worth = self.sources.get(source, self.default) * count
        return worth if count == 1 else min(worth, self.validation_at_most)


class TrustConfig(msgspec.Struct, frozen=True, kw_only=True):
    prior: PriorConfig
    half_life: Duration
    gamma: Annotated[float, msgspec.Meta(gt=0, le=1)]
    interval: Inner
    weights: Weights = Weights()
    drift: DriftConfig = DriftConfig()
    reputation: ReputationRules = ReputationRules()
    """How outcomes move T3 and V3; the defaults are those of Web4."""

    def __post_init__(self) -> None:
        if not self.half_life > 0:
            raise ValueError("half_life must be above 0: evidence that is worth nothing at once teaches nothing")
