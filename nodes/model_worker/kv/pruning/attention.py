"""How much attention tokens get. Imports torch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from nodes.model_worker.kv.state import AttentionState
from nodes.model_worker.loading import LoadedModel

PIECE = 128
"""Tokens whose attention is held at once."""


@torch.inference_mode()
def attend(loaded: LoadedModel, state: AttentionState, ids: Sequence[int], take: Callable[[int, Tensor], None]) -> None:
    """Compute `ids` on top of `state`, and give `take` for each piece (its first place, float32 attention).

    Attention is [layers, kv_heads, new, held]: of each new token on every one that is held by then, summed over the
    query heads that share keys.
    """
    with _told(loaded.model):
        for start in range(0, len(ids), PIECE):
            piece = ids[start : start + PIECE]
            output: Any = loaded.model(
                input_ids=torch.tensor([list(piece)], device=loaded.device),
                past_key_values=state.cache,
                use_cache=True,
                output_attentions=True,
            )
            state.computed(piece)
            layers = torch.stack([layer[0].float().cpu() for layer in output.attentions])
            take(start, layers.unflatten(1, (loaded.state.kv_heads, -1)).sum(2))


@contextmanager
def _told(model: Any) -> Iterator[None]:
    """Meanwhile the model tells its attention; what computes it faster does not."""
    before = model.config._attn_implementation
    model.set_attn_implementation("eager")
    try:
        yield
    finally:
        model.set_attn_implementation(before)


@contextmanager
def queries(model: Any, found: list[Tensor]) -> Iterator[None]:
    """Meanwhile what each layer asks for is added to `found`: float32 [tokens, hidden], not turned yet."""

    def keep(_module: Any, _inputs: Any, output: Tensor) -> None:
        found.append(output[0].detach().float().cpu())

    hooks = [layer.self_attn.q_proj.register_forward_hook(keep) for layer in model.get_decoder().layers]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
