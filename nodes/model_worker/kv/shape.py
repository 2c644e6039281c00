"""What the attention state of a model looks like. No torch."""

from dataclasses import dataclass

from nodes.model_worker.levels import DTYPE_BYTES


@dataclass(frozen=True)
class StateShape:
    layers: int
    kv_heads: int
    head_dim: int
    dtype: str

    @property
    def per_token(self) -> int:
        """Bytes: keys and values of one token over all layers."""
        return 2 * self.layers * self.kv_heads * self.head_dim * DTYPE_BYTES[self.dtype]

    def of(self, tokens: int) -> list[int]:
        """[layers, 2, kv_heads, tokens, head_dim], keys before values."""
        return [self.layers, 2, self.kv_heads, tokens, self.head_dim]
