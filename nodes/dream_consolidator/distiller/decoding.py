"""Many short answers from one model: batches of prompts, greedy or sampled, one token at a time. Imports torch."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from nodes.model_worker.batch import padded
from nodes.model_worker.loading import LoadedModel

Check = Callable[[], None]
"""Raises where the work must stop now."""


@torch.inference_mode()
def decode(
    loaded: LoadedModel,
    prompts: Sequence[Sequence[int]],
    *,
    limit: int,
    check: Check,
    generator: torch.Generator | None = None,
) -> list[list[int]]:
    """What the model says after each prompt, up to `limit` tokens, its end included where it came.

    Greedy; with a generator drawn at temperature 1. A prompt and its answer never exceed the model's context.
    """
    from transformers import DynamicCache

    ids, mask, positions = padded(prompts, loaded.device)
    stops = torch.tensor(sorted(loaded.stop_ids), device=loaded.device)
    cache = DynamicCache(config=loaded.model.config)
    ended = torch.zeros(len(prompts), dtype=torch.bool, device=loaded.device)
    said: list[Tensor] = []
    for _ in range(min(limit, loaded.context - ids.shape[1])):
        check()
        logits = loaded.model(
            input_ids=ids,
            attention_mask=mask,
            position_ids=positions,
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=1,
        ).logits[:, -1]
        chosen = _choose(logits, generator)
        said.append(torch.where(ended, -1, chosen))
        ended |= torch.isin(chosen, stops)
        if bool(ended.all()):
            break
        ids, positions = chosen[:, None], positions[:, -1:] + 1
        mask = torch.cat([mask, mask.new_ones(len(prompts), 1)], dim=1)
    columns = torch.stack(said, dim=1).tolist() if said else [[] for _ in prompts]
    return [[token for token in row if token >= 0] for row in columns]


def _choose(logits: Tensor, generator: torch.Generator | None) -> Tensor:
    """One id per row of logits [rows, vocab]."""
    if generator is None:
        return logits.argmax(-1)
    return torch.multinomial(logits.float().softmax(-1).cpu(), 1, generator=generator)[:, 0].to(logits.device)
