"""Summaries of samples. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any


def percentile(samples: Sequence[float], share: float) -> float:
    """The sample below which `share` (0..1) of them lie, interpolated. Raises `ValueError` for no samples."""
    if not samples:
        raise ValueError("no samples")
    ordered = sorted(samples)
    position = share * (len(ordered) - 1)
    below = math.floor(position)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (position - below)


def median(samples: Sequence[float]) -> float:
    return percentile(samples, 0.5)


def spread(samples: Sequence[float]) -> dict[str, Any]:
    """Median, quartiles and number of the samples: how sure a figure that was taken in rounds is."""
    return {
        "median": round(percentile(samples, 0.5), 4),
        "low": round(percentile(samples, 0.25), 4),
        "high": round(percentile(samples, 0.75), 4),
        "rounds": len(samples),
    }


def ratios(ours: Sequence[float], theirs: Sequence[float]) -> list[float]:
    """Round by round, ours over theirs. Raises `ValueError` where the rounds do not pair up."""
    return [mine / other for mine, other in zip(ours, theirs, strict=True)]
