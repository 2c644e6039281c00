"""Rows of one model's attention state to rows of another's: linear maps, fitted by ridge regression.

One pass over aligned rows keeps sums of products; whatever is asked of them afterwards, which source layers each target
layer sees, how strongly it is held back, and of what rank it is, needs no second look at the data.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

Sources = Literal["stacked", "nearest", "mapped"]
"""Which source layers a target layer is made of: all; the three nearest in relative depth; the nearest one."""
_NEAREST = 3


class Moments:
    """Sums over pairs of rows, in float64: more may always be added, and fits of different data add up."""

    def __init__(self, source: int, target: int) -> None:
        """Numbers in a row of either side."""
        self._count = torch.zeros((), dtype=torch.int64)
        self.sources = torch.zeros(source, dtype=torch.float64)
        self.targets = torch.zeros(target, dtype=torch.float64)
        self.within = torch.zeros(source, source, dtype=torch.float64)
        self.across = torch.zeros(source, target, dtype=torch.float64)

    def add(self, source: Tensor, target: Tensor) -> None:
        """Rows [tokens, source] and [tokens, target] of the same tokens."""
        if len(source) != len(target):
            raise ValueError(f"{len(source)} rows of one side and {len(target)} of the other are not the same tokens")
        source, target = source.double(), target.double()
        self._count += len(source)
        self.sources += source.sum(0)
        self.targets += target.sum(0)
        self.within += source.T @ source
        self.across += source.T @ target

    @property
    def count(self) -> int:
        """Pairs."""
        return int(self._count)

    @property
    def sums(self) -> dict[str, Tensor]:
        """All that it is, to be written down."""
        return {
            "count": self._count,
            "sources": self.sources,
            "targets": self.targets,
            "within": self.within,
            "across": self.across,
        }

    def centred(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Means of both, covariance [source, source] and cross-covariance [source, target]."""
        mean, other = self.sources / self.count, self.targets / self.count
        within = self.within / self.count - torch.outer(mean, mean)
        across = self.across / self.count - torch.outer(mean, other)
        return mean, other, within, across


@dataclass(frozen=True)
class Projector:
    """`target = (source - mean) @ left @ right + offset`, for each group of target columns on its own.

    `right` is None where the map has its full rank.
    """

    mean: Tensor
    """float32 [source]"""
    offset: Tensor
    """float32 [target]"""
    parts: tuple[Part, ...]

    def __call__(self, rows: Tensor) -> Tensor:
        """float32 [tokens, target] of rows [tokens, source]."""
        centred = rows.float() - self.mean
        found = torch.empty(len(rows), len(self.offset))
        for part in self.parts:
            seen = centred if part.sees is None else centred[:, part.sees]
            mapped = seen @ part.left
            found[:, part.columns] = mapped if part.right is None else mapped @ part.right
        return found + self.offset

    @property
    def parameters(self) -> int:
        """Numbers that a token is multiplied with."""
        matrices = (each for part in self.parts for each in (part.left, part.right) if each is not None)
        return sum(each.numel() for each in matrices)


@dataclass(frozen=True)
class Part:
    columns: slice
    """Of the target's row."""
    sees: Tensor | None
    """Columns of the source's row; None: all."""
    left: Tensor
    right: Tensor | None = None


def fitted(
    moments: Moments,
    *,
    source_layers: int,
    target_layers: int,
    sources: Sources = "stacked",
    ridge: float = 1e-3,
    rank: int | None = None,
) -> Projector:
    """The map of least squared error, held back by `ridge` times the mean variance of what it sees.

    Hoerl and Kennard 1970, equation 2.3. With a `rank`, for each part the best map of that rank (reduced-rank
    regression: Izenman 1975, theorem 2, with the identity as weight).
    """
    if moments.count < 2:
        raise ValueError("nothing was added: a map needs rows to be fitted to")
    mean, offset, within, across = moments.centred()
    parts = []
    for columns, sees in _groups(len(mean), len(offset), source_layers, target_layers, sources):
        seen = within if sees is None else within[sees][:, sees]
        wanted = across[:, columns] if sees is None else across[sees][:, columns]
        held = seen + ridge * seen.diagonal().mean() * torch.eye(len(seen), dtype=torch.float64)
        full = torch.linalg.solve(held, wanted)
        left, right = (full, None) if rank is None or rank >= min(full.shape) else _reduced(full, seen, rank)
        parts.append(Part(columns, sees, left.float(), None if right is None else right.float()))
    return Projector(mean.float(), offset.float(), tuple(parts))


def explained(projector: Projector, source: Tensor, target: Tensor) -> float:
    """Share of the target's variance that the map accounts for, over rows that it was not fitted to (R²)."""
    left = (target - projector(source)).square().sum()
    return float(1 - left / (target - target.mean(0)).square().sum())


def _groups(
    source: int, target: int, source_layers: int, target_layers: int, sources: Sources
) -> Sequence[tuple[slice, Tensor | None]]:
    if sources == "stacked":
        return [(slice(0, target), None)]
    width, out = source // source_layers, target // target_layers
    wanted = 1 if sources == "mapped" else min(_NEAREST, source_layers)
    groups = []
    for layer in range(target_layers):
        near = nearest_layers(layer, target_layers, source_layers, wanted)
        sees = torch.cat([torch.arange(each * width, (each + 1) * width) for each in near])
        groups.append((slice(layer * out, (layer + 1) * out), sees))
    return groups


def nearest_layers(layer: int, layers: int, of: int, count: int) -> list[int]:
    """The `count` layers of a model of `of` that lie nearest in relative depth to `layer` of one of `layers`."""
    depth = layer * (of - 1) / max(1, layers - 1)
    return sorted(sorted(range(of), key=lambda each: (abs(each - depth), each))[:count])


def _reduced(full: Tensor, within: Tensor, rank: int) -> tuple[Tensor, Tensor]:
    """The two factors of the map of that rank whose images differ least from those of `full`."""
    _, directions = torch.linalg.eigh(full.T @ within @ full)
    kept = directions[:, -rank:]
    return full @ kept, kept.T
