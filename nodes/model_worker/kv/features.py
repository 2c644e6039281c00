"""Attention state as one row of numbers a token, and back: keys at no place, and no layer's bias in either."""

from __future__ import annotations

from collections.abc import Iterator
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
    dtype: torch.dtype
    """Of the state as the model holds it."""

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
        return cls(Rotary.of(model), bias, getattr(torch, loaded.state.dtype))

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

    def plain(self, data: Tensor, start: int) -> Tensor:
        """float32 state [layers, 2, kv_heads, tokens, head_dim] from position `start` on: turned back, without bias."""
        found = data.float().clone()
        found[:, 0] = self.rotary.unturned(found[:, 0], _places(start, data.shape[3]))
        return found - self.bias

    def placed(self, plain: Tensor, layer: int, start: int) -> Tensor:
        """The reverse for one layer [2, kv_heads, tokens, head_dim]."""
        found = plain + self.bias[layer]
        found[0] = self.rotary.turned(found[0], _places(start, plain.shape[2]))
        return found

    def rows(self, data: Tensor, start: int) -> Tensor:
        """float32 [tokens, width] of state [layers, 2, kv_heads, tokens, head_dim] that begins at position `start`."""
        return self.plain(data, start).permute(3, 0, 1, 2, 4).reshape(data.shape[3], self.width)

    def state(self, rows: Tensor, start: int) -> Tensor:
        """float32 [layers, 2, kv_heads, tokens, head_dim] of rows [tokens, width] that begin at position `start`."""
        return torch.stack(list(self.layers_of(rows, start)))

    def layers_of(self, rows: Tensor, start: int, first: int = 0) -> Iterator[Tensor]:
        """As `state`, layer by layer, of rows [tokens, some layers' width] that begin with layer `first`."""
        _, both, heads, _, dim = self.bias.shape
        for number, columns in enumerate(rows.split(self.per_layer, dim=1)):
            plain = columns.reshape(len(rows), both, heads, dim).permute(1, 2, 0, 3)
            yield self.placed(plain, first + number, start)


def _bias(projection: Any, heads: int, dim: int) -> Tensor:
    if projection.bias is None:
        return torch.zeros(heads, 1, dim)
    return projection.bias.detach().float().cpu().reshape(heads, 1, dim)  # type: ignore[no-any-return]


def _places(start: int, tokens: int) -> Tensor:
    return torch.arange(start, start + tokens)
