"""A learned transform: what neighbouring layers and heads hold in common is said once, and to one precision.

A token's numbers in a group of layers, keys at no place and nothing with a bias, are turned by an orthonormal matrix to
where they vary most along the first axis, next most along the second, and so on (principal components; fitted by
`fit`). Each is rounded to a whole number of `step`s. That is how bits are best given to Gaussian components: one error
for all that vary more than it, none for the others (reverse water-filling: Cover and Thomas 2006, section 10.3.3). What
comes of it is mostly nought, and zstd makes that small.

The matrix is orthonormal and complete, so an error is as large as the steps whatever the text: what a chunk is unlike
those that it was fitted to costs bytes, and no truth.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import msgspec
import numpy as np
import torch
import zstandard
from torch import Tensor

from nodes.model_worker import fitfile
from nodes.model_worker.errors import StateUnreadable
from nodes.model_worker.kv.codecs.codec import as_bytes, check_finite, pack_sinks, unpack_sinks
from nodes.model_worker.kv.codecs.lossless import shuffle, unpacked
from nodes.model_worker.kv.features import Features

FOLDER, SUFFIX = "codec", ".safetensors"
"""Fits lie in this folder of the state directory."""
NAME = "learned"
LEVEL = 15
"""Of zstd: a tenth smaller than at its fastest, in a few milliseconds a chunk; beyond it slower and no smaller."""
DEAD = 0.33
"""Share of a step by which the range that is rounded to nought is wider: it costs little truth and saves bytes."""
_WIDTHS = {1: np.int8, 2: np.int16, 4: np.int32}
"""Bytes of a rounded number → its kind."""


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """What a step came to, in contexts that nothing was fitted to."""

    step: float
    """Share of the standard deviation of a number."""
    smaller: float
    """Times, against the state's own numbers."""
    kl: float
    """KL(exact ‖ kept), nats a token, of what follows."""
    excess_nll: float
    """Share by which what follows is less likely; negative: more."""
    same: float
    """Share of tokens at which the likeliest word is the same."""


class Card(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a fit."""

    level: str
    version: str
    """Of the model that it was fitted to. Others of the same architecture may use it: they lose no more."""
    tokens: int
    layers: int
    """In a group, at most."""
    step: float
    measured: list[Measured]


@dataclass(frozen=True)
class Group:
    """Neighbouring layers that share a transform."""

    first: int
    """Layer."""
    mean: Tensor
    """float32 [width]."""
    basis: Tensor
    """float32 [width, width], orthonormal columns, those first along which most varies."""


@dataclass(frozen=True)
class Fit:
    groups: tuple[Group, ...]
    step: float
    """In the units of the state."""

    @cached_property
    def digest(self) -> str:
        whole = hashlib.sha256(np.float64(self.step).tobytes())
        for group in self.groups:
            whole.update(as_bytes(group.mean) + as_bytes(group.basis))
        return whole.hexdigest()


class Learned:
    def __init__(self, fit: Fit, features: Features) -> None:
        """Raises StateUnreadable for a fit of another shape."""
        width = sum(len(group.mean) for group in fit.groups)
        if width != features.width:
            raise StateUnreadable(
                f"was fitted to {width} numbers a token, this model has {features.width}",
                place="the learned codec",
                remedy="fit it anew: sage kv fit LEVEL",
            )
        self._fit = fit
        self._features = features

    @property
    def name(self) -> str:
        return f"{NAME}:{self._fit.digest[:16]}"

    def encode(self, data: Tensor, start: int) -> list[bytes]:
        check_finite(data)
        exact, first = pack_sinks(self._features, data, start)
        rows = self._features.rows(data[..., exact:, :], start + exact)
        return [first, *self.pack(rows)]

    def decode(self, parts: Sequence[bytes], tokens: int, start: int) -> Iterator[Tensor]:
        if len(parts) != len(self._fit.groups) + 1:
            raise ValueError(f"{len(parts)} parts instead of {len(self._fit.groups) + 1}")
        exact, first = unpack_sinks(self._features, parts[0], tokens, start)
        number = 0
        for group, rows in zip(self._fit.groups, self.unpack(parts[1:], tokens - exact), strict=True):
            for layer in self._features.layers_of(rows, start + exact, group.first):
                yield torch.cat([first[number], layer], dim=2)
                number += 1

    def pack(self, rows: Tensor) -> list[bytes]:
        """Rows of `Features` [tokens, width], group by group."""
        at, parts = 0, []
        for group in self._fit.groups:
            width = len(group.mean)
            parts.append(_packed((rows[:, at : at + width] - group.mean) @ group.basis, self._fit.step))
            at += width
        return parts

    def unpack(self, parts: Sequence[bytes], tokens: int) -> Iterator[Tensor]:
        """The rows' columns, group by group. Raises ValueError."""
        for part, group in zip(parts, self._fit.groups, strict=True):
            turned = _restored(part, tokens, len(group.mean), self._fit.step)
            yield turned @ group.basis.T + group.mean


def _packed(turned: Tensor, step: float) -> bytes:
    """Numbers [tokens, width] in whole steps: first the bytes of each, then component by component, then zstd."""
    steps = turned.sign() * (turned.abs() / step + (1 - DEAD) / 2).floor()
    if not steps.numel():
        return b""
    most = float(steps.abs().max())
    width = next((width for width, kind in _WIDTHS.items() if most <= np.iinfo(kind).max), None)
    if width is None:
        raise ValueError(f"a number of {most:.3g} steps of {step:.3g} is too large to be kept")
    plain = steps.T.contiguous().numpy().astype(_WIDTHS[width]).tobytes()
    return bytes([width]) + zstandard.ZstdCompressor(level=LEVEL).compress(shuffle(plain, width))


def _restored(part: bytes, tokens: int, width: int, step: float) -> Tensor:
    if not tokens:
        return torch.zeros(0, width)
    if not part or part[0] not in _WIDTHS:
        raise ValueError("it does not begin with the width of its numbers")
    item, count = part[0], tokens * width
    shuffled = unpacked(part[1:], count * item)
    if len(shuffled) != count * item:
        raise ValueError(f"{len(shuffled)} bytes instead of {count * item}")
    steps = np.frombuffer(shuffle(shuffled, count), dtype=_WIDTHS[item]).astype(np.float32)
    return torch.from_numpy(steps).view(width, tokens).T * step


def path_of(folder: Path, config: str) -> Path:
    """`config`: the digest of the architecture in the model's fingerprint."""
    return folder / f"{config[:32]}{SUFFIX}"


def save(path: Path, fit: Fit, card: Card) -> None:
    tensors = {"step": torch.tensor([fit.step], dtype=torch.float64)}
    for number, group in enumerate(fit.groups):
        tensors[f"{number}.first"] = torch.tensor([group.first])
        tensors[f"{number}.mean"] = group.mean
        tensors[f"{number}.basis"] = group.basis.contiguous()
    fitfile.save(path, tensors, card)


def load(path: Path) -> tuple[Fit, Card]:
    """Raises FileNotFoundError, and StateUnreadable for a file that is no fit."""
    remedy = "remove it and fit it anew: sage kv fit LEVEL"
    return fitfile.load(path, Card, _fit, what="fit of a codec", remedy=remedy)


def _fit(tensors: fitfile.Tensors) -> Fit:
    groups = tuple(
        Group(int(tensors[f"{number}.first"]), tensors[f"{number}.mean"], tensors[f"{number}.basis"])
        for number in range(sum(name.endswith(".basis") for name in tensors))
    )
    return Fit(groups, float(tensors["step"]))
