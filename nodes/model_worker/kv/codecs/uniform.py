"""So many bits a number: keys by channel, values by token (Liu et al. 2024, KIVI, section 3), then zstd.

Keys are taken back to no place and away from their layer's bias first: bias and turning are what spreads a channel's
numbers so far that few bits cannot tell them apart.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np
import torch
import zstandard
from numpy.typing import NDArray
from torch import Tensor

from nodes.model_worker.kv.codecs.codec import as_bytes, check_finite, from_bytes, pack_sinks, unpack_sinks
from nodes.model_worker.kv.codecs.lossless import unpacked
from nodes.model_worker.kv.features import Features

LEVEL = 3
"""Of zstd; packed bits yield little, and more effort yields no more."""
_LINE = 2
"""Numbers that a line's range takes: the lowest, and the step."""


class Uniform:
    """Every line, a channel of keys or a token's values, in even steps from its lowest number to its highest."""

    def __init__(self, bits: int, features: Features) -> None:
        self._bits = bits
        self._features = features

    @property
    def name(self) -> str:
        return f"int{self._bits}"

    def encode(self, data: Tensor, start: int) -> list[bytes]:
        check_finite(data)
        exact, first = pack_sinks(self._features, data, start)
        parts = [first]
        rest = self._features.plain(data[..., exact:, :], start + exact)
        for layer in rest:
            keys, values = layer[0].transpose(-1, -2).contiguous(), layer[1].contiguous()
            packed = b"".join(_rounded(lines, self._bits) for lines in (keys, values))
            parts.append(zstandard.ZstdCompressor(level=LEVEL).compress(packed))
        return parts

    def decode(self, parts: Sequence[bytes], tokens: int, start: int) -> Iterator[Tensor]:
        layers, _, heads, _, dim = self._features.bias.shape
        if len(parts) != layers + 1:
            raise ValueError(f"{len(parts)} parts instead of {layers + 1}")
        exact, first = unpack_sinks(self._features, parts[0], tokens, start)
        count = tokens - exact
        shapes = (heads, dim, count), (heads, count, dim)
        sizes = [_bytes(shape, self._bits) for shape in shapes]
        for number, part in enumerate(parts[1:]):
            packed = unpacked(part, sum(sizes))
            if len(packed) != sum(sizes):
                raise ValueError(f"{len(packed)} bytes instead of {sum(sizes)}")
            edges = (0, sizes[0], sum(sizes))
            keys, values = (
                _restored(packed[begin:end], shape, self._bits)
                for (begin, end), shape in zip(pairwise(edges), shapes, strict=True)
            )
            both = torch.stack([keys.transpose(-1, -2), values])
            yield torch.cat([first[number], self._features.placed(both, number, start + exact)], dim=2)


def _rounded(lines: Tensor, bits: int) -> bytes:
    """Lines of numbers [..., of one line]: their ranges, then each number as a step of its line."""
    if not lines.numel():
        return b""
    top = (1 << bits) - 1
    # Both are kept in 16 bits. A step that was rounded down would not reach the highest number.
    lowest = lines.amin(-1, keepdim=True).bfloat16().float()
    step = ((lines.amax(-1, keepdim=True) - lowest).clamp_min(0) / top * (1 + 2**-7)).bfloat16().float()
    steps = torch.where(step > 0, (lines - lowest) / step, 0.0).round().clamp(0, top).to(torch.uint8).numpy()
    ranges = torch.cat([lowest, step], dim=-1)
    return as_bytes(ranges.bfloat16()) + _pack(steps.reshape(-1), bits)


def _restored(packed: bytes, shape: tuple[int, ...], bits: int) -> Tensor:
    count = int(np.prod(shape))
    if not count:
        return torch.zeros(shape)
    lines = (*shape[:-1], _LINE)
    head = 2 * int(np.prod(lines))
    ranges = from_bytes(packed[:head], lines, torch.bfloat16).float()
    steps = torch.from_numpy(_unpack(packed[head:], count, bits).astype(np.float32)).view(shape)
    return ranges[..., :1] + ranges[..., 1:] * steps


def _bytes(shape: tuple[int, ...], bits: int) -> int:
    """Of such lines, packed."""
    count = int(np.prod(shape))
    return 2 * _LINE * int(np.prod(shape[:-1])) + -(-count * bits // 8) if count else 0


def _pack(steps: NDArray[np.uint8], bits: int) -> bytes:
    if bits == 8:
        return steps.tobytes()
    return np.packbits(np.unpackbits(steps[:, None], axis=1)[:, 8 - bits :]).tobytes()


def _unpack(packed: bytes, count: int, bits: int) -> NDArray[np.uint8]:
    raw = np.frombuffer(packed, dtype=np.uint8)
    if bits == 8:
        return raw
    spread = np.unpackbits(raw, count=count * bits).reshape(count, bits)
    return np.packbits(np.pad(spread, ((0, 0), (8 - bits, 0))), axis=1)[:, 0]
