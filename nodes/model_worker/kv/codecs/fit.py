"""Fits the learned codec to texts, and measures in others what each precision costs and saves."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from nodes.model_worker.errors import ModelUnfit
from nodes.model_worker.gathering import gather
from nodes.model_worker.kv.codecs.codec import Codec
from nodes.model_worker.kv.codecs.learned import Card, Fit, Group, Learned, Measured
from nodes.model_worker.kv.features import Features
from nodes.model_worker.kv.state import AttentionState
from nodes.model_worker.loading import LoadedModel
from nodes.model_worker.reading import forward_all, likeness, read

HELD_OUT = 0.1
"""Share of the contexts that only measure; at least two."""
SHORTEST = 32
"""Tokens of a context, below which it says nothing."""
WIDEST = 2048
"""Numbers of a token that are turned together, at most: so many neighbouring layers are a group."""
STEPS = (0.25, 0.5, 0.7, 1.0, 1.4, 2.0)
"""Shares of the standard deviation that are measured, besides the one that is wanted."""

Report = Callable[[int, int], None]


class Spread:
    """Sums of rows and of their products, group by group, in float64."""

    def __init__(self, features: Features) -> None:
        layers = max(1, WIDEST // features.per_layer)
        self.firsts = range(0, features.layers, layers)
        self.layers = min(layers, features.layers)
        self._widths = [min(layers, features.layers - first) * features.per_layer for first in self.firsts]
        self.count = torch.zeros((), dtype=torch.int64)
        self._totals = [torch.zeros(width, dtype=torch.float64) for width in self._widths]
        self._products = [torch.zeros(width, width, dtype=torch.float64) for width in self._widths]

    @property
    def sums(self) -> dict[str, Tensor]:
        return {
            "count": self.count,
            **{f"{number}.totals": each for number, each in enumerate(self._totals)},
            **{f"{number}.products": each for number, each in enumerate(self._products)},
        }

    def add(self, rows: Tensor) -> None:
        """float32 [tokens, width]."""
        self.count += len(rows)
        for number, part in enumerate(rows.double().split(self._widths, 1)):
            self._totals[number] += part.sum(0)
            self._products[number] += part.T @ part

    def groups(self) -> tuple[tuple[Group, ...], float]:
        """The groups, and the standard deviation of a number over all of them."""
        found, variance = [], 0.0
        for first, totals, products in zip(self.firsts, self._totals, self._products, strict=True):
            mean = totals / self.count
            values, vectors = torch.linalg.eigh(products / self.count - torch.outer(mean, mean))
            found.append(Group(first, mean.float(), vectors.flip(1).float().contiguous()))
            variance += float(values.clamp_min(0).sum())
        return tuple(found), (variance / sum(self._widths)) ** 0.5


@dataclass(frozen=True)
class Fitted:
    fit: Fit
    card: Card


def fit(
    loaded: LoadedModel,
    contexts: Sequence[Sequence[int]],
    *,
    level: str,
    folder: Path,
    step: float,
    chunk: int,
    report: Report = lambda *_: None,
) -> Fitted:
    """`step`: share of a number's standard deviation. `chunk`: tokens that are kept together.

    Raises ModelUnfit for a model whose keys are of another kind, or contexts that are too few to measure by.
    """
    features = Features.of(loaded)
    usable = [list(each) for each in contexts if len(each) >= SHORTEST]
    held = max(2, round(HELD_OUT * len(usable)))
    if len(usable) < 2 * held:
        raise ModelUnfit(
            f"{len(usable)} of {len(contexts)} contexts have {SHORTEST} tokens or more; {2 * held} are needed",
            place=str(loaded.folder),
            remedy="give more or longer texts",
        )
    learned, measured = usable[:-held], usable[-held:]
    spread = Spread(features)

    def add(ids: Sequence[int]) -> None:
        spread.add(features.rows(read(loaded, ids).piece(0, len(ids)), 0))

    path = folder / f"{loaded.version}.gathered"
    gather(path, learned, spread.sums, add, lambda done: report(done, len(usable)))
    groups, deviation = spread.groups()
    rows = []
    for each in sorted({*STEPS, step}):
        rows.append(measure(loaded, Learned(Fit(groups, each * deviation), features), measured, each, chunk))
        report(len(learned) + round(held * len(rows) / (len(STEPS) + 1)), len(usable))
    card = Card(
        level=level,
        version=loaded.version,
        tokens=int(spread.count),
        layers=spread.layers,
        step=step,
        measured=rows,
    )
    return Fitted(Fit(groups, step * deviation), card)


def measure(loaded: LoadedModel, codec: Codec, contexts: Sequence[Sequence[int]], step: float, chunk: int) -> Measured:
    """What the second half of each context is like on top of the first half as the codec keeps it."""
    own, other, rest, packed, exact = [], [], [], 0, 0
    for ids in contexts:
        told = len(ids) // 2
        state = read(loaded, ids[:told])
        data = state.piece(0, told)
        kept, parts = through(codec, data, chunk)
        packed += sum(len(part) for each in parts for part in each)
        exact += data.nbytes
        again = AttentionState(loaded.state.layers, told, loaded.device)
        again.append(kept, ids[:told], cold=False)
        own.append(forward_all(loaded, state, ids[told:]))
        other.append(forward_all(loaded, again, ids[told:]))
        rest.append(ids[told:])
    like = likeness(own, other, rest)
    return Measured(step=step, smaller=exact / packed, kl=like.kl, excess_nll=like.excess, same=like.same)


def through(codec: Codec, data: Tensor, chunk: int) -> tuple[Tensor, list[list[bytes]]]:
    """State as it comes out again if it is kept in chunks of so many tokens, and each chunk's parts."""
    found, packed = [], []
    for start in range(0, data.shape[3], chunk):
        piece = data[..., start : start + chunk, :]
        packed.append(codec.encode(piece, start))
        found.append(torch.stack(list(codec.decode(packed[-1], piece.shape[3], start))))
    return torch.cat(found, dim=3).to(data.dtype), packed
