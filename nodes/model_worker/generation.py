"""Prefill and decode over a model's forward pass. The state goes in matched, and comes out holding what was computed.

Cancel and deadline are looked at before every prefill chunk and after every token, never inside a forward pass.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from nodes.model_worker.kv.pruning import recent as prune
from nodes.model_worker.kv.state import AttentionState
from nodes.model_worker.likelihood import Judge
from nodes.model_worker.sampling import Sampler
from nodes.model_worker.text import TextStream

Interrupted = Callable[[], str]
"""Why generation must end now (`cancelled`, `deadline`), or ""."""


@dataclass(frozen=True)
class Step:
    """One generated token."""

    id: int
    logprob: float
    """Natural log of its probability under the model."""
    margin: float
    """Difference of the two largest logits."""
    text: str
    """What became certain with it; the texts of all steps together are the answer."""
    stop: str = ""
    """Why this is the last step: `stop`, `length`, `cancelled` or `deadline`."""


def prefill(
    model: Any,
    state: AttentionState,
    ids: Sequence[int],
    *,
    chunk: int,
    interrupted: Interrupted,
    room: int | None = None,
    judge: Judge | None = None,
) -> Tensor | None:
    """Forward `ids` (at least one) after what `state` holds. Logits [vocab] of the last one, None if interrupted.

    An interrupted prefill leaves the state with the chunks that were computed. `room`: tokens the state may hold; it is
    pruned to that. `judge` notes how unlikely those tokens were that it wants.
    """
    judge = judge or Judge(range(0))
    logits = None
    held = state.position
    for start, end in chunks(held, held + len(ids), chunk):
        if interrupted():
            return None
        make_room(state, end - start, room)
        with judge.watching(model, start, ids[start - held + 1 : end - held + 1]):
            logits = forward(model, state, ids[start - held : end - held])
    return logits


def decode(
    model: Any,
    state: AttentionState,
    logits: Tensor,
    *,
    sampler: Sampler,
    text: TextStream,
    stop_ids: Collection[int],
    limit: int,
    interrupted: Interrupted,
    room: int | None = None,
) -> Iterator[Step]:
    """Up to `limit` tokens (at least one) after those in `state`, whose last logits [vocab] are given.

    The last token yielded is not in the state: nothing was computed from it. `room` as in `prefill`.
    """
    for count in range(1, limit + 1):
        choice = sampler.choose(logits)
        ended = choice.id in stop_ids
        piece = "" if ended else text.push(choice.id)
        stop = "stop" if ended or text.stopped else "length" if count == limit else interrupted()
        if stop:
            piece += text.finish()
            # The rest that came with the end may have completed a stop text.
            stop = "stop" if text.stopped else stop
        yield Step(choice.id, choice.logprob, choice.margin, piece, stop)
        if stop:
            return
        make_room(state, 1, room)
        logits = forward(model, state, [choice.id])


def make_room(state: AttentionState, new: int, room: int | None) -> None:
    """Prune the state so that it holds at most `room` tokens with `new` more; None: it may grow as it likes."""
    if room is not None and len(state.ids) + new > room:
        state.prune(prune.kept(len(state.ids), prune.left(room, new)))


@torch.inference_mode()
def forward(model: Any, state: AttentionState, ids: Sequence[int]) -> Tensor:
    """Compute keys and values of `ids` into `state`; float32 logits [vocab] of the last one."""
    tokens = torch.tensor([list(ids)], device=model.device)
    how: dict[str, Any] = {}
    if state.pruned:  # transformers takes the length of the cache for the position of the next token
        how["position_ids"] = torch.arange(state.position, state.position + len(ids), device=model.device)[None]
    # The last one by its index: sliced off, it is a view that makes torch copy all of the output matrix to multiply.
    last = torch.tensor([len(ids) - 1], device=model.device)
    output = model(input_ids=tokens, past_key_values=state.cache, use_cache=True, logits_to_keep=last, **how)
    state.computed(ids)
    return output.logits[0, -1].float()  # type: ignore[no-any-return]


def chunks(start: int, end: int, size: int) -> Iterator[tuple[int, int]]:
    """Spans that cover [start, end), broken at absolute multiples of `size`.

    The same tokens are so computed in the same company, wherever the reused prefix ended in an earlier chunk.
    """
    while start < end:
        stop = min(end, (start // size + 1) * size)
        yield start, stop
        start = stop
