"""Attention state as one row of numbers a token, and back: keys at no place, and no layer's bias in either."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from nodes.model_worker.errors import ModelUnfit
from nodes.model_worker.kv.rotary import Rotary
from nodes.model_worker.loading import LoadedModel


@dataclass(frozen=True)
class Features:
    """Of one model. A row is [layers, 2, kv_heads, head_dim], keys before values, laid out flat."""

    rotary: Rotary
    bias: Tensor
    """float32 [layers, 2, kv_heads, 1, head_dim]: what keys and values hold of every token alike."""

    @classmethod
    def of(cls, loaded: LoadedModel) -> Features:
        """Raises ModelUnfit for a model whose keys or layers are of another kind."""
        model = loaded.model
        layers = [getattr(layer, "self_attn", None) for layer in getattr(model.get_decoder(), "layers", [])]
        if not layers or any(not hasattr(each, "k_proj") or not hasattr(each, "v_proj") for each in layers):
            raise ModelUnfit(
                "its layers have no key and value projections of their own",
                place=str(loaded.folder),
                remedy="state moves between models such as Llama, Mistral and Qwen",
            )
        heads, dim = loaded.state.kv_heads, loaded.state.head_dim
        bias = torch.stack(
            [torch.stack([_bias(each.k_proj, heads, dim), _bias(each.v_proj, heads, dim)]) for each in layers]
        )
        return cls(Rotary.of(model), bias)

    @property
    def width(self) -> int:
        """Numbers in a row."""
        return self.bias.numel()

    @property
    def layers(self) -> int:
        return len(self.bias)

    @property
    def per_layer(self) -> int:
        """Numbers of a row that come from one layer."""
        return self.width // self.layers

    def rows(self, data: Tensor, start: int) -> Tensor:
        """float32 [tokens, width] of state [layers, 2, kv_heads, tokens, head_dim] that begins at position `start`."""
        plain = data.float().clone()
        plain[:, 0] = self.rotary.unturned(plain[:, 0], _places(start, data.shape[3]))
        return (plain - self.bias).permute(3, 0, 1, 2, 4).reshape(data.shape[3], -1)

    def state(self, rows: Tensor, start: int) -> Tensor:
        """float32 [layers, 2, kv_heads, tokens, head_dim] of rows [tokens, width] that begin at position `start`."""
        layers, both, heads, _, dim = self.bias.shape
        data = rows.reshape(len(rows), layers, both, heads, dim).permute(1, 2, 3, 0, 4) + self.bias
        data[:, 0] = self.rotary.turned(data[:, 0], _places(start, len(rows)))
        return data


def _bias(projection: Any, heads: int, dim: int) -> Tensor:
    if projection.bias is None:
        return torch.zeros(heads, 1, dim)
    return projection.bias.detach().float().cpu().reshape(heads, 1, dim)  # type: ignore[no-any-return]


def _places(start: int, tokens: int) -> Tensor:
    return torch.arange(start, start + tokens)
