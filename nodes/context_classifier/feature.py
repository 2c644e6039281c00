"""One thing noticed of an experience, on an absolute scale, with its reason in words."""

from __future__ import annotations

import math

import msgspec


class Feature(msgspec.Struct, frozen=True):
    scale: float
    """0: nothing of it; 1: as much as there can be."""
    why: str
    """What was measured, with its value."""


NONE = Feature(0.0, "")


def strongest(*features: Feature) -> Feature:
    return max(features, key=lambda feature: feature.scale, default=NONE)


def together(*features: Feature) -> Feature:
    """Independent signs of the same (noisy or), under the reason of the strongest."""
    none = math.prod(1 - feature.scale for feature in features)
    return Feature(1 - none, strongest(*features).why)
