"""What `configs/trust.yaml` says, typed."""

from __future__ import annotations

from typing import Annotated

import msgspec

from runtime.units import Duration

Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
Inner = Annotated[float, msgspec.Meta(gt=0, lt=1)]
Weight = Annotated[float, msgspec.Meta(ge=0, le=100)]


class PriorConfig(msgspec.Struct, frozen=True, kw_only=True):
    strength: Annotated[float, msgspec.Meta(gt=0)]
    default: Inner
    levels: dict[str, Inner] = {}


class Weights(msgspec.Struct, frozen=True, kw_only=True):
    default: Weight = 1.0
    sources: dict[str, Weight] = {}

    def of(self, source: str) -> float:
        return self.sources.get(source, self.default)


class TrustConfig(msgspec.Struct, frozen=True, kw_only=True):
    prior: PriorConfig
    pooling: Weight
    half_life: Duration
    gamma: Annotated[float, msgspec.Meta(gt=0, le=1)]
    interval: Inner
    weights: Weights = Weights()

    def __post_init__(self) -> None:
        if not self.half_life > 0:
            raise ValueError("half_life must be above 0: evidence that is worth nothing at once teaches nothing")
