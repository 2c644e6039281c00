"""Fits a map from one model's attention state to another's: both read the same contexts, one after the other.

What was gathered is written down now and then, and when it is interrupted, so that the next one goes on from there. The
last contexts are not fitted to: on them it is measured what the map accounts for, how surprised the target is, and how
unlikely it finds the tail behind what was moved, which says from where on a moved state is to be thrown away.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean

import torch
from torch import Tensor

from nodes.model_worker.errors import ModelUnfit
from nodes.model_worker.gathering import gather
from nodes.model_worker.kv.features import Features
from nodes.model_worker.kv.state import AttentionState
from nodes.model_worker.loading import LoadedModel
from nodes.model_worker.reading import forward_all, read
from nodes.model_worker.transfer.manager import (
    EXACT,
    TAIL,
    CacheTransferManager,
    check_same_tokens,
)
from nodes.model_worker.transfer.maps import Card
from nodes.model_worker.transfer.projector import Moments, Projector, Sources, explained, fitted
from nodes.model_worker.transfer.surprise import Surprise, surprise

HELD_OUT = 0.1
"""Share of the contexts that only measure; at least two."""
TOLD = 0.5
"""Of a context, the part that is moved; the rest is what the target is asked about when it is measured."""

Report = Callable[[int, int], None]


@dataclass(frozen=True)
class Fitted:
    projector: Projector
    card: Card


def fit(
    source: LoadedModel,
    target: LoadedModel,
    contexts: Sequence[Sequence[int]],
    *,
    names: tuple[str, str],
    folder: Path,
    sources: Sources = "stacked",
    ridge: float = 1e-6,
    rank: int | None = None,
    report: Report = lambda *_: None,
) -> Fitted:
    """Raises ModelUnfit for models whose tokens differ, or contexts that are too few or too short to measure by."""
    check_same_tokens(source, target)
    usable = [list(each) for each in contexts if len(each) >= 4 * (EXACT + TAIL)]
    held = max(2, round(HELD_OUT * len(usable)))
    if len(usable) < 2 * held:
        raise ModelUnfit(
            f"{len(usable)} of {len(contexts)} contexts have {4 * (EXACT + TAIL)} tokens or more; "
            f"{2 * held} are needed",
            place=str(target.folder),
            remedy="give more or longer texts",
        )
    learned, measured = usable[:-held], usable[-held:]
    moments = _gathered(source, target, learned, folder, lambda done: report(done, len(usable)))
    here, there = Features.of(source), Features.of(target)
    projector = fitted(
        moments, source_layers=here.layers, target_layers=there.layers, sources=sources, ridge=ridge, rank=rank
    )
    shares, surprises, tails = [], [], []
    for number, ids in enumerate(measured, start=len(learned) + 1):
        share, shock, excess = _measure(source, target, projector, ids)
        shares.append(share)
        surprises.append(shock)
        tails.append(excess)
        report(number, len(usable))
    card = Card(
        source=source.version,
        source_name=names[0],
        target=target.version,
        target_name=names[1],
        sources=sources,
        rank=rank,
        ridge=ridge,
        tokens=moments.count,
        explained=mean(shares),
        surprise=mean(each.normalised for each in surprises),
        most=max(tails),
        parameters=projector.parameters,
    )
    return Fitted(projector, card)


@torch.inference_mode()
def _gathered(
    source: LoadedModel,
    target: LoadedModel,
    contexts: Sequence[Sequence[int]],
    folder: Path,
    report: Callable[[int], None],
) -> Moments:
    here, there = Features.of(source), Features.of(target)
    moments = Moments(here.width, there.width)

    def add(ids: Sequence[int]) -> None:
        moments.add(_rows(here, read(source, ids)), _rows(there, read(target, ids)))

    gather(folder / f"{source.version}-{target.version}.gathered", contexts, moments.sums, add, report)
    return moments


def _rows(features: Features, state: AttentionState) -> Tensor:
    return features.rows(state.piece(0, len(state.ids)), 0)


@torch.inference_mode()
def _measure(
    source: LoadedModel, target: LoadedModel, projector: Projector, ids: Sequence[int]
) -> tuple[float, Surprise, float]:
    """R² of the rows, the target's surprise over the second half of the context, and the tail's nats a token."""
    told = round(TOLD * len(ids))
    theirs, native, nothing = read(source, ids[:told]), read(target, ids[:told]), read(target, ids[:EXACT])
    rows = _rows(Features.of(source), theirs), _rows(Features.of(target), native)
    moved = CacheTransferManager(source, target, projector).move(ids[:told], theirs)
    asked = [forward_all(target, state, ids[told:]) for state in (native, moved.state, nothing)]
    return explained(projector, *rows), surprise(*asked), moved.tail_nll
