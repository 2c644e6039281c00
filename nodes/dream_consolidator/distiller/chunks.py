"""From hidden states to logits, a chunk of tokens at a time. Imports torch.

A vocabulary of 150,000 makes 600 KB of logits a token, and training holds them several times. So what is computed from
logits is computed chunk by chunk, and in the backward pass each chunk's logits are computed again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from nodes.model_worker.batch import padded
from nodes.model_worker.errors import ModelUnfit

Compute = Callable[[Tensor, slice], tuple[Tensor, ...]]
"""Logits [chunk, vocab] and which tokens they are → what is wanted of them, each with a row for every token."""


class Asked(Protocol):
    """A question and its answer, in ids."""

    @property
    def prompt(self) -> list[int]: ...
    @property
    def answer(self) -> list[int]: ...


def answer_states(model: Any, items: Sequence[Asked]) -> Tensor:
    """Hidden states [tokens, width] from which the answers' tokens are told, item after item."""
    ids, mask, positions = padded([item.prompt + item.answer[:-1] for item in items], model.device)
    output = model.base_model(input_ids=ids, attention_mask=mask, position_ids=positions, use_cache=False)
    rows = zip(output.last_hidden_state, items, strict=True)
    return torch.cat([states[-len(item.answer) :] for states, item in rows])


def by_chunk(model: Any, states: Tensor, size: int, compute: Compute) -> tuple[Tensor, ...]:
    """`compute` over the logits of `states` [tokens, width], never of more than `size` tokens at once."""
    layer = model.get_output_embeddings()

    def one(states: Tensor, part: slice) -> tuple[Tensor, ...]:
        return compute(layer(states), part)

    parts = [slice(start, start + size) for start in range(0, len(states), size)]
    if len(parts) == 1 or not torch.is_grad_enabled():
        found = [one(states[part], part) for part in parts]
    else:
        # Nothing in here draws, so there is no random state to keep.
        found = [checkpoint(one, states[part], part, use_reentrant=False, preserve_rng_state=False) for part in parts]
    return tuple(map(torch.cat, zip(*found, strict=True)))


@torch.no_grad()
def check_output_layer(model: Any, place: str) -> None:
    """ModelUnfit if the model makes more of its last hidden states than its output layer does, such as a soft cap."""
    ids = torch.arange(2, device=model.device)[None]
    whole = model(input_ids=ids, use_cache=False).logits
    states = model.base_model(input_ids=ids, use_cache=False).last_hidden_state
    if not torch.equal(whole, model.get_output_embeddings()(states)):
        raise ModelUnfit(
            "changes its logits after the output layer; to teach and to learn they are computed from that layer alone",
            place=place,
            remedy="name another model for the level, or keep it out of dreams: `students` in the dream's settings",
        )
