"""The three sizes: `Qwen2ForCausalLM` as Qwen2.5 has it, with other depths, widths and heads."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from experiments.reference.tokenizer import CONTEXT

if TYPE_CHECKING:
    from transformers import Qwen2Config

WEIGHTS = Path(__file__).parent / "weights"


@dataclass(frozen=True)
class Size:
    """The shape of one model and the rate at which it learns."""

    name: str
    layers: int
    width: int
    heads: int
    kv_heads: int
    feed_forward: int
    rate: float

    @property
    def folder(self) -> Path:
        return WEIGHTS / self.name

    def config(self, vocabulary: int, end: int, pad: int) -> "Qwen2Config":
        from transformers import Qwen2Config

        return Qwen2Config(
            vocab_size=vocabulary,
            hidden_size=self.width,
            intermediate_size=self.feed_forward,
            num_hidden_layers=self.layers,
            num_attention_heads=self.heads,
            num_key_value_heads=self.kv_heads,
            max_position_embeddings=CONTEXT,
            rope_parameters={"rope_type": "default", "rope_theta": 1e6},
            tie_word_embeddings=True,
            eos_token_id=end,
            pad_token_id=pad,
            bos_token_id=None,
        )


SIZES: Mapping[str, Size] = {
    size.name: size
    for size in (
        Size("sensory", layers=4, width=96, heads=3, kv_heads=1, feed_forward=256, rate=8e-3),
        Size("tactical", layers=5, width=128, heads=4, kv_heads=2, feed_forward=320, rate=6e-3),
        Size("specialized", layers=6, width=160, heads=4, kv_heads=2, feed_forward=416, rate=6e-3),
    )
}
