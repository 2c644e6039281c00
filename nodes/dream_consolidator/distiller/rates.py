"""The learning rate of each step. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable

from nodes.dream_consolidator.settings import Train

_RATES = {"full": 1e-5, "lora": 2e-4}
"""What suits a model as wide as Qwen2.5 0.5B."""
_WIDTH = 896
_HIGHEST = {"full": 1e-3, "lora": 5e-3}
_STEEPER = 1.75
_WARM_UP = 0.05


def peak_rate(width: int, settings: Train) -> float:
    """The highest learning rate, for a model whose hidden states have `width` numbers.

    For models at least as wide as Qwen2.5 0.5B as 1 / width (Yang et al. 2021, table 3). For narrower ones as a higher
    power of it: a model 96 wide then learns three skills from 1,000 lessons at 5e-4, and at 9e-5 next to nothing
    (`sage experiment distillation`).
    """
    if settings.rate != "auto":
        return settings.rate
    ratio = _WIDTH / width
    return min(_RATES[settings.method] * max(ratio, ratio**_STEEPER), _HIGHEST[settings.method])


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
