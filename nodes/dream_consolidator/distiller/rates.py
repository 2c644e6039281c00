"""The learning rate of each step. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable

from nodes.dream_consolidator.settings import Train

_RATES = {"full": 1e-5, "lora": 2e-4}
"""What suits a model as wide as Qwen2.5 0.5B. Adam's rate goes as 1 / width (Yang et al. 2021, table 3). Twice to six
times as much teaches as well and makes a small model forget: measured on the reference family."""
_WIDTH = 896
_WARM_UP = 0.05


def peak_rate(width: int, settings: Train) -> float:
    """The highest learning rate, for a model whose hidden states have `width` numbers."""
    return _RATES[settings.method] * _WIDTH / width if settings.rate == "auto" else settings.rate


def schedule(name: str, step: int, steps: int) -> float:
    """Share of the highest rate: up over the first twentieth of the steps, then as the name says."""
    warm = max(1, round(_WARM_UP * steps))
    return min((step + 1) / warm, _SCHEDULES[name](step / steps))


_SCHEDULES: dict[str, Callable[[float], float]] = {
    # Constant to the middle, then straight down to nothing (Hägele et al. 2024, section 3).
    "trapezoid": lambda done: min(1.0, 2 * (1 - done)),
    # Half a turn down to nothing (Loshchilov and Hutter 2017, equation 5, without restarts).
    "cosine": lambda done: (1 + math.cos(math.pi * done)) / 2,
    "constant": lambda _: 1.0,
}
