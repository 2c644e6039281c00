"""The attention state a model works on: the layers, and the ids they were computed from."""

from collections.abc import Sequence

import torch
from torch import Tensor
from transformers.cache_utils import Cache

from nodes.model_worker.kv.layer import GrowingLayer
from nodes.model_worker.kv.pruning.recent import gone


class AttentionState:
    """Position i of every layer holds keys and values of token `ids[i]`, at all times but inside a forward pass.

    The token sampled last is not in it: it has no keys and values until it is forwarded. `cold` tells how many of the
    first tokens were computed in whole chunks of `size` on absolute boundaries, each after cold ones only.

    Pruned, it holds fewer tokens than it was computed from, each still at the position it had.
    """

    def __init__(self, layers: int, size: int, device: str = "cpu") -> None:
        """`device`: where the model computes; what is appended goes there."""
        self.layers = [GrowingLayer() for _ in range(layers)]
        self.cache = Cache(layers=list(self.layers))
        self.size = size
        self._device = device
        self.ids: list[int] = []
        self.cold = 0
        self.pruned = 0
        """Tokens that were dropped from between others."""
        self._places: list[int] = []
        """Of the tokens held, the positions they had; where any was dropped."""

    @property
    def nbytes(self) -> int:
        return sum(layer.nbytes for layer in self.layers)

    @property
    def capacity(self) -> int:
        """Tokens for which there is room without growing."""
        return min((layer.capacity for layer in self.layers), default=0)

    @property
    def position(self) -> int:
        """Of the next token."""
        return len(self.ids) + self.pruned

    @property
    def gone(self) -> list[tuple[int, int]]:
        """Spans [start, end) of the positions whose tokens were dropped."""
        return gone(self._places, self.position) if self.pruned else []

    def reserve(self, tokens: int) -> None:
        """Make room for `tokens` in all with the next forward pass."""
        for layer in self.layers:
            layer.reserve(tokens)

    def computed(self, ids: Sequence[int]) -> None:
        """Note that the model has just been forwarded over `ids` with this state."""
        self._note(ids, cold=True)

    @torch.inference_mode()
    def append(self, data: Tensor, ids: Sequence[int], *, cold: bool) -> None:
        """Go on with what was computed before: [layers, 2, kv_heads, tokens, head_dim], keys before values."""
        for layer, (keys, values) in zip(self.layers, data, strict=True):
            layer.update(keys[None].to(self._device), values[None].to(self._device))
        self._note(ids, cold=cold)

    @torch.inference_mode()
    def prune(self, kept: Sequence[int]) -> None:
        """Keep only the tokens at these places, which ascend: what comes after is computed as if only they were there.

        Positions stay as they were: keys were turned by theirs, and distances count what was dropped.
        """
        places = torch.tensor(list(kept))
        before = self._places if self.pruned else range(len(self.ids))
        self._places = [before[place] for place in kept]
        self.pruned += len(self.ids) - len(kept)  # first: one that fails half way is nobody's beginning either
        for layer in self.layers:
            layer.keep(places)
        self.ids = [self.ids[place] for place in kept]
        self.cold = 0
        self._check()

    @torch.inference_mode()
    def piece(self, start: int, end: int) -> Tensor:
        """A copy of the tokens [start, end) in the processor's memory: [layers, 2, kv_heads, tokens, head_dim]."""
        parts = [torch.stack((layer.keys[0, :, start:end], layer.values[0, :, start:end])) for layer in self.layers]
        return torch.stack(parts).cpu()

    def truncate(self, tokens: int) -> None:
        """Keep the first `tokens`."""
        if not 0 <= tokens <= len(self.ids):
            raise ValueError(f"cannot keep {tokens} of {len(self.ids)} tokens")
        if self.pruned:
            raise ValueError("a pruned state has no beginning to go back to")
        self._check()
        self._cut(tokens)

    def back_to(self, tokens: int) -> bool:
        """After a forward pass that failed: hold the first `tokens`, as before it. False if they are not all there.

        A forward pass only appends, so what a layer held before it is untouched.
        """
        if self.pruned or any(layer.get_seq_length() < tokens for layer in self.layers):
            return False
        self._cut(tokens)
        return True

    def _cut(self, tokens: int) -> None:
        for layer in self.layers:
            layer.crop(tokens - layer.get_seq_length())
        del self.ids[tokens:]
        self.cold = min(self.cold, tokens - tokens % self.size)

    @property
    def whole(self) -> bool:
        """Every layer holds exactly the tokens of `ids`. False after a forward pass that failed half way."""
        return {layer.get_seq_length() for layer in self.layers} == {len(self.ids)}

    def _note(self, ids: Sequence[int], *, cold: bool) -> None:
        if cold and not self.pruned and self.cold == len(self.ids) and len(ids) == self.size:
            self.cold += self.size
        if self.pruned:
            self._places.extend(range(self.position, self.position + len(ids)))
        self.ids.extend(ids)
        self._check()

    def _check(self) -> None:
        if not self.whole:
            lengths = sorted({layer.get_seq_length() for layer in self.layers})
            raise AssertionError(f"layers hold {lengths} tokens, {len(self.ids)} ids belong to them")
