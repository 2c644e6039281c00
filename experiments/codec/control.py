"""The negative control: rounding keys as they stand, by token, where a model's keys have large biases.

Such biases are what ruins rounded attention state of Qwen2.5. Here they are put where they change nothing else: along
the pair of numbers that a key's position turns least, every key gets the same, so that a query's likes are all raised
alike, and what the model says stays as it was. The control's rounding is coarse for all for the sake of these few.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from nodes.model_worker.kv.codecs.codec import as_bytes, from_bytes
from nodes.model_worker.kv.features import Features
from nodes.model_worker.loading import LoadedModel

BIAS = 200.0
"""Added to the number that turns least, in every head's keys."""


class Naive:
    """int4 of keys and values as they stand, one range a token and head; a number takes a byte here."""

    name = "naive int4"

    def __init__(self, features: Features) -> None:
        self._features = features

    def encode(self, data: Tensor, start: int) -> list[bytes]:
        data = data.float()
        low, high = data.amin(-1, keepdim=True), data.amax(-1, keepdim=True)
        step = ((high - low) / 15).clamp_min(1e-9)
        rounded = low + ((data - low) / step).round() * step
        return [as_bytes(rounded.half() if float(rounded.abs().max()) < 6e4 else rounded.bfloat16())]

    def decode(self, parts: Sequence[bytes], tokens: int, start: int) -> Iterator[Tensor]:
        layers, _, heads, _, dim = self._features.bias.shape
        yield from from_bytes(parts[0], (layers, 2, heads, tokens, dim), torch.float16).float()


def with_large_biases(loaded: LoadedModel) -> LoadedModel:
    """A copy that says the same, and whose keys are far from nought."""
    model = copy.deepcopy(loaded.model)
    dim = loaded.state.head_dim
    with torch.no_grad():
        for layer in model.get_decoder().layers:
            bias = layer.self_attn.k_proj.bias.view(-1, dim)
            bias[:, dim // 2 - 1] += BIAS
    return replace(loaded, model=model)
