"""Keys and values of one attention layer in a block of memory with room to grow.

transformers' own dynamic layer concatenates, so that every new token copies all earlier ones. Here a token is written
into its place; only when the room is used up are the earlier ones copied, once, into a larger block.
"""

from typing import Any

import torch
from torch import Tensor
from transformers.cache_utils import CacheLayerMixin

STEP = 64
"""Room is made in multiples of so many tokens."""


class GrowingLayer(CacheLayerMixin):  # type: ignore[no-untyped-call]
    """`keys` and `values` are views [1, kv_heads, length, head_dim] of blocks [1, kv_heads, capacity, head_dim]."""

    is_croppable = True
    is_sliding = False

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._blocks: tuple[Tensor, Tensor] | None = None
        self._length = 0
        self._wanted = 0

    @property
    def capacity(self) -> int:
        """Tokens there is room for."""
        return self._blocks[0].shape[-2] if self._blocks else 0

    @property
    def nbytes(self) -> int:
        """Of the blocks, whether filled or not."""
        return sum(block.nbytes for block in self._blocks) if self._blocks else 0

    def reserve(self, tokens: int) -> None:
        """Make room for `tokens` in all with the next update, so that it does not grow step by step."""
        self._wanted = tokens

    def lazy_initialization(self, key_states: Tensor, value_states: Tensor) -> None:
        self.dtype, self.device = key_states.dtype, key_states.device
        self._blocks = (_empty_like(key_states, 0), _empty_like(value_states, 0))
        self.is_initialized = True
        self._show()

    def update(self, key_states: Tensor, value_states: Tensor, *_args: Any, **_kwargs: Any) -> tuple[Tensor, Tensor]:
        """Append [1, kv_heads, new, head_dim] and return everything held so far."""
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        end = self._length + key_states.shape[-2]
        self._make_room(end)
        for block, new in zip(self._filled_blocks(), (key_states, value_states), strict=True):
            block[:, :, self._length : end] = new
        self._length = end
        return self._show()

    def crop(self, tokens_to_remove: int) -> None:
        """Drop the last `-tokens_to_remove` tokens (negative, as in transformers). More than are held is refused."""
        if not -self._length <= tokens_to_remove <= 0:
            raise ValueError(f"cannot drop {-tokens_to_remove} of {self._length} tokens")
        self._length += tokens_to_remove
        if self.is_initialized:
            self._show()

    def keep(self, places: Tensor) -> None:
        """Hold only the tokens at these places, which ascend."""
        for block in self._filled_blocks():
            block[:, :, : len(places)] = block[:, :, places.to(block.device)]  # the right side is a copy
        self._length = len(places)
        self._show()

    def reset(self) -> None:
        self._blocks = self.keys = self.values = None
        self._length = 0
        self.is_initialized = False

    def get_seq_length(self) -> int:
        return self._length

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        """(keys in all, offset of the first) once `query_length` more are in."""
        return self._length + query_length, 0

    def get_max_length(self) -> int:
        return -1

    def reorder_cache(self, beam_idx: Tensor) -> None:
        raise NotImplementedError("one conversation has one line of tokens: there are no beams to reorder")

    def _make_room(self, tokens: int) -> None:
        if max(tokens, self._wanted) <= self.capacity:
            return
        planned = self._wanted if tokens <= self._wanted else max(tokens, self._length * 3 // 2)
        capacity = -(-planned // STEP) * STEP
        grown = tuple(_empty_like(block, capacity) for block in self._filled_blocks())
        for old, new in zip(self._filled_blocks(), grown, strict=True):
            new[:, :, : self._length] = old[:, :, : self._length]
        self._blocks = (grown[0], grown[1])

    def _filled_blocks(self) -> tuple[Tensor, Tensor]:
        assert self._blocks is not None, "lazy_initialization comes first"
        return self._blocks

    def _show(self) -> tuple[Tensor, Tensor]:
        keys, values = (block[:, :, : self._length] for block in self._filled_blocks())
        self.keys, self.values = keys, values
        return keys, values


def _empty_like(states: Tensor, tokens: int) -> Tensor:
    batch, heads, _, head_dim = states.shape
    return torch.empty((batch, heads, tokens, head_dim), dtype=states.dtype, device=states.device)
