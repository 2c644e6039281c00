"""How the receiver begins, and what it has then: its state, and how long it took to the first token."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from experiments.transfer.pairs import Pair
from nodes.model_worker.kv.features import Features
from nodes.model_worker.kv.pruning.recent import SINKS
from nodes.model_worker.kv.state import AttentionState
from nodes.model_worker.loading import LoadedModel
from nodes.model_worker.reading import read
from nodes.model_worker.transfer.manager import TAIL, CacheTransferManager
from nodes.model_worker.transfer.projector import Moments, Part, Projector, fitted, nearest_layers

RIDGE = 1e-6
TRUNCATED = 128
"""Last tokens that are read where only they are."""
SUMMARY = 128
"""Tokens of a summary, at most."""
LOW = 64
"""Of a map of reduced rank."""


@dataclass(frozen=True)
class Begun:
    state: AttentionState
    seconds: float
    """From the source's state, or from nothing, to where the next token can be computed."""


Way = Callable[[Sequence[int], AttentionState], Begun]
"""Given the ids of the context and the source's state over them."""


def fit_maps(pair: Pair, contexts: Sequence[Sequence[int]]) -> dict[str, Projector]:
    """Every map, from one pass over the contexts, and the two that nothing is fitted for."""
    here, there = Features.of(pair.source), Features.of(pair.target)
    sides = ((here, pair.source), (there, pair.target))
    moments = Moments(here.width, there.width)
    for ids in contexts:
        rows = (each.rows(read(model, ids).piece(0, len(ids)), 0) for each, model in sides)
        moments.add(*rows)
    sizes = {"source_layers": here.layers, "target_layers": there.layers, "ridge": RIDGE}
    mean, offset, _, _ = moments.centred()
    return {
        "stacked": fitted(moments, sources="stacked", **sizes),  # type: ignore[arg-type]
        f"stacked, rank {LOW}": fitted(moments, sources="stacked", rank=LOW, **sizes),  # type: ignore[arg-type]
        "three nearest": fitted(moments, sources="nearest", **sizes),  # type: ignore[arg-type]
        "nearest": fitted(moments, sources="mapped", **sizes),  # type: ignore[arg-type]
        "cut to size": cut_to_size(here, there, mean.float(), offset.float()),
        "mean": Projector(mean.float(), offset.float(), ()),
    }


def cut_to_size(here: Features, there: Features, mean: Tensor, offset: Tensor) -> Projector:
    """Fixed: the numbers of the layer nearest in depth, as many as there is room for."""
    parts = []
    for layer in range(there.layers):
        (source,) = nearest_layers(layer, there.layers, here.layers, 1)
        width = min(here.per_layer, there.per_layer)
        sees = torch.arange(source * here.per_layer, source * here.per_layer + width)
        columns = slice(layer * there.per_layer, (layer + 1) * there.per_layer)
        parts.append(Part(columns, sees, torch.eye(width, there.per_layer)))
    return Projector(mean, offset, tuple(parts))


def ways(pair: Pair, maps: Mapping[str, Projector], messages_end: int, sample: Sequence[int]) -> dict[str, Way]:
    """`messages_end`: the token that ends a message. `sample`: a context in which the map's error is looked at."""
    target, features = pair.target, Features.of(pair.target)
    off = _error(pair, maps["stacked"], sample)

    def noisy(ids: Sequence[int], _: AttentionState) -> Begun:
        """The control: its own reading, off by as much as the stacked map is, number by number, but at random."""
        began = time.perf_counter()
        rows = features.rows(read(target, ids).piece(0, len(ids)), 0)
        generator = torch.Generator().manual_seed(len(ids))
        rows[SINKS:-TAIL] += off * torch.randn(rows[SINKS:-TAIL].shape, generator=generator)
        state = AttentionState(target.state.layers, len(ids), target.device)
        state.append(features.state(rows, 0).to(getattr(torch, target.state.dtype)), ids, cold=False)
        return Begun(state, time.perf_counter() - began)

    found: dict[str, Way] = {
        "own reading": lambda ids, _: _read(target, ids),
        "no context": lambda ids, _: _read(target, ids[:SINKS]),
        f"last {TRUNCATED} tokens": lambda ids, _: _read(target, [*ids[:SINKS], *ids[-TRUNCATED:]]),
        "summary": lambda ids, _: _read(target, summary(ids, messages_end)),
        "own, with noise": noisy,
    }
    for name, projector in maps.items():
        manager = CacheTransferManager(pair.source, target, projector)
        found[name] = lambda ids, state, manager=manager: _moved(manager, ids, state)  # type: ignore[misc]
    return found


def _error(pair: Pair, projector: Projector, ids: Sequence[int]) -> Tensor:
    """Root of the mean square of each of the target's numbers [width]."""
    rows = [Features.of(each).rows(read(each, ids).piece(0, len(ids)), 0) for each in (pair.source, pair.target)]
    return (rows[1] - projector(rows[0])).square().mean(0).sqrt()


def summary(ids: Sequence[int], messages_end: int) -> list[int]:
    """Of every message its beginning, all of one length, as many tokens together as a summary may have.

    The family does not summarise in words of its own, so this stands in for one: nothing that opens a message is left
    out, and nothing is made up.
    """
    messages: list[list[int]] = [[]]
    for token in ids:
        messages[-1].append(token)
        if token == messages_end:
            messages.append([])
    messages = [each for each in messages if each]
    each = max(1, SUMMARY // max(1, len(messages)))
    kept = [token for message in messages for token in message[:each]]
    return kept[:SUMMARY] or list(ids[:1])


def _read(target: LoadedModel, ids: Sequence[int]) -> Begun:
    began = time.perf_counter()
    state = read(target, ids)
    return Begun(state, time.perf_counter() - began)


def _moved(manager: CacheTransferManager, ids: Sequence[int], state: AttentionState) -> Begun:
    moved = manager.move(ids, state)
    return Begun(moved.state, moved.seconds)
