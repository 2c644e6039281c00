"""Capture, project, install, go on: a conversation that one model has read goes on with another.

    ids    |  exact  |           projected            |  tail  |
           prefilled   captured from the source         prefilled

The beginning (system prompt, attention sinks) and the end are the target's own. How unlikely the target finds the end
on top of what was moved, beyond what it usually finds such words, says whether the state can be used: else it is thrown
away and everything is read natively, and the time that took counts.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from nodes.model_worker.errors import ModelUnfit
from nodes.model_worker.kv.features import Features
from nodes.model_worker.kv.history import common_prefix
from nodes.model_worker.kv.pruning.recent import SINKS
from nodes.model_worker.kv.state import AttentionState
from nodes.model_worker.loading import LoadedModel
from nodes.model_worker.reading import forward_all, nll_of
from nodes.model_worker.transfer.projector import Projector

EXACT = SINKS
"""Tokens at the beginning that are always the target's own: attention rests on them."""
TAIL = 16
"""Tokens at the end that are always the target's own, at least."""


@dataclass(frozen=True)
class Moved:
    """The target's state over all of the ids, and what it would say next."""

    state: AttentionState
    logits: Tensor
    """float32 [vocab], after the last id."""
    tail_nll: float
    """Nats a token of the tail, on top of what was moved."""
    projected: int
    """Tokens whose keys and values are not the target's own; 0 where all was read natively."""
    seconds: float
    """All that it took, whatever was thrown away included."""


class CacheTransferManager:
    """From one model to another, both in this process. Their tokens must be the same."""

    def __init__(
        self,
        source: LoadedModel,
        target: LoadedModel,
        projector: Projector,
        *,
        most: float = float("inf"),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`most`: nats a token of the tail above which what was moved is thrown away. Raises ModelUnfit."""
        check_same_tokens(source, target)
        self.source, self.target = source, target
        self._from, self._to = Features.of(source), Features.of(target)
        if (len(projector.mean), len(projector.offset)) != (self._from.width, self._to.width):
            raise ModelUnfit(
                f"the map leads from rows of {len(projector.mean)} to rows of {len(projector.offset)}; "
                f"these models have {self._from.width} and {self._to.width}",
                place=str(target.folder),
                remedy="fit one for these two: sage transfer fit SOURCE TARGET --text FILE",
            )
        self._projector = projector
        self._most = most
        self._clock = clock

    @torch.inference_mode()
    def capture(self, state: AttentionState, start: int, end: int) -> Tensor:
        """Rows [tokens, width] of the source's tokens [start, end)."""
        return self._from.rows(state.piece(start, end), start)

    @torch.inference_mode()
    def move(self, ids: Sequence[int], state: AttentionState, *, exact: int = EXACT, tail: int = TAIL) -> Moved:
        """Let the target go on after `ids`, of which `state` is what the source made.

        What the source has not read, and the last `tail` tokens at least, the target reads itself.
        """
        began = self._clock()
        held = common_prefix(ids, state.ids)
        end = min(held, len(ids) - max(1, tail))
        if end <= exact:
            return self._native(ids, began)
        moved = AttentionState(self.target.state.layers, state.size, self.target.device)
        moved.reserve(len(ids))
        if exact:
            forward_all(self.target, moved, ids[:exact])
        rows = self._projector(self.capture(state, exact, end))
        data = self._to.state(rows, exact).to(getattr(torch, self.target.dtype))
        moved.append(data, ids[exact:end], cold=False)
        logits = forward_all(self.target, moved, ids[end:])
        nll = nll_of(logits, ids[end:])
        if nll > self._most:
            return self._native(ids, began)
        return Moved(moved, logits[-1], nll, end - exact, self._clock() - began)

    def _native(self, ids: Sequence[int], began: float) -> Moved:
        state = AttentionState(self.target.state.layers, len(ids), self.target.device)
        logits = forward_all(self.target, state, ids)
        return Moved(state, logits[-1], nll_of(logits, ids), 0, self._clock() - began)


def check_same_tokens(source: LoadedModel, target: LoadedModel) -> None:
    """Raises ModelUnfit where the ids of one mean something else to the other."""
    if source.fingerprint.get("tokenizer") != target.fingerprint.get("tokenizer"):
        raise ModelUnfit(
            "its tokenizer is another than the source's: their ids do not mean the same",
            place=str(target.folder),
            remedy="move state between models of one family",
        )
