"""Where a key stands, taken out of it and put back in: rotary position embedding (Su et al. 2021, equation 34).

As transformers turns the keys of Llama and Qwen: the first half of a head is turned with the second.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from nodes.model_worker.errors import ModelUnfit


@dataclass(frozen=True)
class Rotary:
    """Of one model."""

    frequencies: Tensor
    """float32 [head_dim / 2], radians a position."""
    scale: float
    """By which turned keys are longer."""

    @classmethod
    def of(cls, model: Any) -> Rotary:
        """Raises ModelUnfit for a model that tells positions apart in another way."""
        found = getattr(model.get_decoder(), "rotary_emb", None)
        if found is None or getattr(found, "rope_type", "default") != "default":
            raise ModelUnfit(
                "its keys are not turned by a rotary embedding with fixed frequencies",
                place=str(model.config.name_or_path),
                remedy="attention state of such models is kept and moved as it is",
            )
        return cls(found.inv_freq.detach().float().cpu(), float(found.attention_scaling))

    def turned(self, keys: Tensor, positions: Tensor) -> Tensor:
        """float32 keys [..., tokens, head_dim] at no place, as they are at these [tokens]."""
        cos, sin = self._angles(positions)
        return (keys * cos + _half(keys) * sin) * self.scale

    def unturned(self, keys: Tensor, positions: Tensor) -> Tensor:
        """The reverse; exact but for rounding."""
        cos, sin = self._angles(positions)
        keys = keys.float() / self.scale
        return keys * cos - _half(keys) * sin

    def _angles(self, positions: Tensor) -> tuple[Tensor, Tensor]:
        angles = positions.float()[:, None] * self.frequencies[None]
        both = torch.cat([angles, angles], dim=-1)
        return both.cos(), both.sin()


def _half(keys: Tensor) -> Tensor:
    first, second = keys.chunk(2, dim=-1)
    return torch.cat([-second, first], dim=-1)
