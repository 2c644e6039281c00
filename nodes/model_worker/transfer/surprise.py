"""How far a model with moved attention state is from what it would say with its own.

Raw distances say little: over a few hundred tokens, no context at all often lies under half a bit. So the distance is
told as a share of that of no context: 0 is as good as its own state, 1 no better than none.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from nodes.model_worker.reading import kl_of

NOTHING = 1e-6
"""Nats. Where a context says less than this, whatever is made of it is as good."""


@dataclass(frozen=True)
class Surprise:
    """Means over tokens."""

    normalised: float
    """0..1: min(1, KL to native ÷ KL of no context to native)."""
    kl: float
    """KL(native ‖ moved), nats a token."""
    kl_none: float
    """KL(native ‖ no context), nats a token."""
    js: float
    """Jensen-Shannon divergence of native and moved, 0..1 bit."""
    disagreement: float
    """Share of tokens at which another word is the likeliest."""


def surprise(native: Tensor, moved: Tensor, none: Tensor) -> Surprise:
    """From the logits [tokens, vocab] of the same tokens with each of the three."""
    if not native.shape == moved.shape == none.shape or not len(native):
        raise ValueError(
            f"logits of {list(native.shape)}, {list(moved.shape)}, {list(none.shape)}: not the same tokens"
        )
    own, other, without = (each.float().log_softmax(-1) for each in (native, moved, none))
    kl, kl_none = float(kl_of(own, other).mean()), float(kl_of(own, without).mean())
    middle = torch.logaddexp(own, other) - math.log(2)
    js = (kl_of(own, middle) + kl_of(other, middle)) / 2 / math.log(2)
    return Surprise(
        normalised=0.0 if kl <= NOTHING else min(1.0, kl / max(kl_none, NOTHING)),
        kl=kl,
        kl_none=kl_none,
        js=float(js.mean()),
        disagreement=float((own.argmax(-1) != other.argmax(-1)).float().mean()),
    )
