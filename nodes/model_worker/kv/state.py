"""The attention state of one conversation: the layers, and the ids they were computed from."""

from collections.abc import Sequence

from transformers.cache_utils import Cache

from nodes.model_worker.kv.layer import GrowingLayer


class AttentionState:
    """Position i of every layer holds keys and values of token `ids[i]`, at all times but inside a forward pass.

    The token sampled last is not in it: it has no keys and values until it is forwarded.
    """

    def __init__(self, layers: int) -> None:
        self.layers = [GrowingLayer() for _ in range(layers)]
        self.cache = Cache(layers=list(self.layers))
        self.ids: list[int] = []

    @property
    def nbytes(self) -> int:
        return sum(layer.nbytes for layer in self.layers)

    def reserve(self, tokens: int) -> None:
        """Make room for `tokens` in all with the next forward pass."""
        for layer in self.layers:
            layer.reserve(tokens)

    def computed(self, ids: Sequence[int]) -> None:
        """Note that the model has just been forwarded over `ids` with this state."""
        self.ids.extend(ids)
        self._check()

    def truncate(self, tokens: int) -> None:
        """Keep the first `tokens`."""
        if not 0 <= tokens <= len(self.ids):
            raise ValueError(f"cannot keep {tokens} of {len(self.ids)} tokens")
        self.cache.crop(tokens - len(self.ids))
        del self.ids[tokens:]
        self._check()

    @property
    def whole(self) -> bool:
        """Every layer holds exactly the tokens of `ids`. False after a forward pass that failed half way."""
        return {layer.get_seq_length() for layer in self.layers} == {len(self.ids)}

    def _check(self) -> None:
        if not self.whole:
            lengths = sorted({layer.get_seq_length() for layer in self.layers})
            raise AssertionError(f"layers hold {lengths} tokens, {len(self.ids)} ids belong to them")
