"""What a codec is, and those of one model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from nodes.model_worker.kv.chunkfile import Content, Unreadable
from nodes.model_worker.kv.codecs import lossless
from nodes.model_worker.kv.features import Features
from nodes.model_worker.kv.pruning.recent import SINKS


class Codec(Protocol):
    """A lossy one. What it gives back is of class `lossy`."""

    @property
    def name(self) -> str:
        """Stands in the file; with a digest of what it was fitted to, where it was."""

    def encode(self, data: Tensor, start: int) -> list[bytes]:
        """State [layers, 2, kv_heads, tokens, head_dim] that begins at token `start`, in parts.

        Raises ValueError for numbers that are not finite.
        """

    def decode(self, parts: Sequence[bytes], tokens: int, start: int) -> Iterator[Tensor]:
        """Its layers, one after the other, float32 [2, kv_heads, tokens, head_dim]. Raises ValueError."""


@dataclass(frozen=True)
class Codecs:
    """Of one model: the one that writes, by name, and all that read."""

    name: str = lossless.NAME
    lossy: Mapping[str, Codec] = field(default_factory=dict)

    @property
    def loses(self) -> bool:
        return self.name not in lossless.NAMES

    def packed(self, data: Tensor, start: int) -> list[bytes]:
        """As `Content.layers` of a chunk that is to be written."""
        if self.loses:
            return self.lossy[self.name].encode(data, start)
        return [as_bytes(layer) for layer in data]

    def tensor(self, content: Content) -> Tensor:
        """[layers, 2, kv_heads, tokens, head_dim]. Raises Unreadable for parts that no codec here reads."""
        if not content.lossy:
            return plain(content)
        codec = self.lossy.get(content.codec)
        if codec is None:
            known = ", ".join(self.lossy) or "lossless ones only"
            raise Unreadable(f"packed by {content.codec!r}; there are {known}")
        try:
            layers = torch.stack(list(codec.decode(content.layers, len(content.ids), content.start)))
        except ValueError as error:
            raise Unreadable(f"{content.codec} does not unpack it: {error}") from error
        if list(layers.shape) != list(content.shape):
            raise Unreadable(f"{content.codec} makes {list(layers.shape)} of it instead of {list(content.shape)}")
        return layers.to(getattr(torch, content.dtype))


def plain(content: Content) -> Tensor:
    """The tensor of a chunk whose layers are numbers as they are."""
    return from_bytes(b"".join(content.layers), content.shape, getattr(torch, content.dtype))


def sinks(start: int, tokens: int) -> int:
    """How many of the first tokens of such a piece are kept as they are: all others attend to them."""
    return max(0, min(tokens, SINKS - start))


def pack_sinks(features: Features, data: Tensor, start: int) -> tuple[int, bytes]:
    """How many of the first tokens stay as they are, and these."""
    exact = sinks(start, data.shape[3])
    return exact, as_bytes(data[..., :exact, :].to(features.dtype))


def unpack_sinks(features: Features, part: bytes, tokens: int, start: int) -> tuple[int, Tensor]:
    """The reverse: how many, and float32 [layers, 2, kv_heads, so many, head_dim]. Raises ValueError."""
    layers, both, heads, _, dim = features.bias.shape
    exact = sinks(start, tokens)
    return exact, from_bytes(part, (layers, both, heads, exact, dim), features.dtype).float()


def as_bytes(data: Tensor) -> bytes:
    return data.contiguous().view(torch.uint8).numpy().tobytes() if data.numel() else b""


def from_bytes(raw: bytes, shape: Sequence[int], dtype: torch.dtype) -> Tensor:
    """Raises ValueError unless these are the bytes of such numbers."""
    if len(raw) != int(np.prod(shape)) * dtype.itemsize:
        raise ValueError(f"{len(raw)} bytes of numbers in the shape {list(shape)}")
    return torch.frombuffer(bytearray(raw), dtype=dtype).view(*shape) if raw else torch.zeros(*shape, dtype=dtype)


def check_finite(data: Tensor) -> None:
    if not torch.isfinite(data).all():
        raise ValueError("it holds numbers that are not finite")
