"""In which numbers a student learns, and what it keeps for the backward pass. Imports torch.

Steps are smaller than bfloat16 can tell apart, so what learns is always held in float32: the master weights of
Micikevicius et al. 2018, section 3.1. `bfloat16` computes in it (autocast), which halves activations; weights that do
not learn, as under LoRA, are then held in it too.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

import torch

from nodes.dream_consolidator.settings import Train


def computing(settings: Train, device: str) -> str:
    """`float32` or `bfloat16`. A processor computes bfloat16 right and seldom faster, so `auto` takes it on a GPU."""
    if settings.precision != "auto":
        return settings.precision
    return "bfloat16" if device == "cuda" and torch.cuda.is_bf16_supported() else "float32"


def held(settings: Train, device: str, stored: str) -> Literal["float32", "bfloat16"]:
    """The dtype in which the student's weights are loaded that are stored as `stored`; none is made coarser by it."""
    coarse = settings.method == "lora" and stored == computing(settings, device) == "bfloat16"
    return "bfloat16" if coarse else "float32"


@contextmanager
def learning(model: Any, settings: Train) -> Iterator[None]:
    """Forward and backward passes of a step happen in here; looks and answers do not, or no attention state is kept."""
    from transformers.modeling_layers import GradientCheckpointingLayer

    layers = [module for module in model.modules() if isinstance(module, GradientCheckpointingLayer)]
    if settings.recompute and not layers[0].gradient_checkpointing:
        model.activation_checkpointing_enable(activation_checkpointing_kwargs={"use_reentrant": False})
    # A layer computes its activations again only while it trains. What is inside it does not train, and so drops
    # nothing out: the same step always gives the same bits.
    for layer in layers:
        layer.training = settings.recompute
    try:
        with mixed(model, settings):
            yield
    finally:
        for layer in layers:
            layer.training = False


def mixed(model: Any, settings: Train) -> torch.autocast:
    """Computes in bfloat16 where the settings say so."""
    device = model.device.type
    return torch.autocast(device, torch.bfloat16, enabled=computing(settings, device) == "bfloat16")
