"""Causal attention for training on a processor: the same sums as everywhere, in an order that a CPU does fast.

torch's own kernel takes about twice as long on short rows of bfloat16, most of it on the way back. Here a row is cut
into blocks of queries; each block sees the keys up to its own end, so that what lies ahead is hardly computed at all.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

NAME = "blocks"
BLOCK = 128
LONGEST = 256
"""From here on torch's own kernel is the faster one: it never holds all scores at once."""


def register() -> str:
    """Make it known to transformers, and return its name for `set_attn_implementation`."""
    from transformers import AttentionInterface
    from transformers.masking_utils import AttentionMaskInterface

    AttentionInterface.register(NAME, _attend)
    AttentionMaskInterface.register(NAME, lambda *_arguments, **_options: None)  # rows are never padded in front
    return NAME


def _attend(
    module: Any, query: "Tensor", key: "Tensor", value: "Tensor", attention_mask: None, *, scaling: float, **_: Any
) -> "tuple[Tensor, None]":
    """Query, key and value are rows x heads x length x dim; the result is rows x length x heads x dim."""
    from torch.nn.functional import scaled_dot_product_attention

    shared = query.shape[1] // key.shape[1]
    key, value = (each.repeat_interleave(shared, dim=1) for each in (key, value))
    if query.device.type != "cpu" or query.shape[2] > LONGEST:
        mixed = scaled_dot_product_attention(query, key, value, is_causal=True, scale=scaling)
    else:
        mixed = causal(query.flatten(0, 1), key.flatten(0, 1), value.flatten(0, 1), scaling).view(query.shape)
    return mixed.transpose(1, 2).contiguous(), None


def causal(query: "Tensor", key: "Tensor", value: "Tensor", scaling: float) -> "Tensor":
    """softmax(scaling · QKᵀ) V, every position seeing itself and those before. All are heads x length x dim."""
    import torch

    heads, length, _ = query.shape
    ahead = torch.full((length, length), float("-inf"), dtype=query.dtype).triu(1)
    parts = []
    for start in range(0, length, BLOCK):
        end = min(start + BLOCK, length)
        seen = ahead[start:end, :end].expand(heads, end - start, end)
        scores = torch.baddbmm(seen, query[:, start:end], key[:, :end].transpose(1, 2), alpha=scaling)
        parts.append(torch.bmm(scores.softmax(-1), value[:, :end]))
    return torch.cat(parts, dim=1)
