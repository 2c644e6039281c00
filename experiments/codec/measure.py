"""What a point costs and saves, in contexts of one length."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
import torch

from experiments.codec.points import Given, Point, formats
from experiments.reference.contexts import Ask, Probe
from nodes.model_worker.kv.codecs.codec import Codec
from nodes.model_worker.loading import LoadedModel
from nodes.model_worker.reading import forward_all, likeness, read

MOST_EXCESS, LEAST_KEPT = 0.01, 0.98
"""The gates: by how much less likely what follows may become, and the share of right answers that must stay right."""


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    family: str
    name: str
    length: int
    smaller: float
    """Times, all counted in, against the state's own numbers."""
    excess_nll: float
    kl: float
    kl_p99: float
    same: float
    greedy: float
    """Tokens until the likeliest word is another one."""
    kept: float
    """Share of right answers that are still the same."""
    kept_by_depth: dict[str, float]
    asked: int

    @property
    def passes(self) -> bool:
        return self.excess_nll <= MOST_EXCESS and self.kept >= LEAST_KEPT


@dataclass(frozen=True)
class Read:
    """A context with its own state and what follows on top of it."""

    given: Given
    logits: torch.Tensor


class Bench:
    """The contexts of one length, read once by the model itself."""

    def __init__(self, loaded: LoadedModel, length: int, probes: Sequence[Probe], asks: Sequence[Ask]) -> None:
        self._loaded = loaded
        self.length = length
        self.probes = probes
        self.asks = asks
        self._read = [self._own(probe) for probe in probes]
        self._asked = [Given(ask.told, read(loaded, ask.told).piece(0, len(ask.told))) for ask in asks]

    @property
    def first(self) -> Given:
        return self._read[0].given

    def measure(self, point: Point, *, probes: int | None = None, asks: int | None = None) -> Measured:
        """`probes`, `asks`: of each at most so many; of questions every second, third …: all depths stay."""
        own, other, rest, size, exact = [], [], [], 0, 0
        for mine, probe in list(zip(self._read, self.probes, strict=True))[:probes]:
            kept = point.keep(mine.given)
            size, exact = size + kept.nbytes, exact + mine.given.data.nbytes
            own.append(mine.logits)
            other.append(forward_all(self._loaded, kept.state, probe.rest))
            rest.append(probe.rest)
        like = likeness(own, other, rest)
        by_depth: dict[float, list[bool]] = {}
        stride = max(1, len(self.asks) // asks) if asks else 1
        for given, ask in list(zip(self._asked, self.asks, strict=True))[::stride]:
            logits = forward_all(self._loaded, point.keep(given).state, ask.rest)
            said = logits[-len(ask.said) :].argmax(-1).tolist()
            by_depth.setdefault(ask.depth, []).append(said == ask.said)
        every = [right for rights in by_depth.values() for right in rights]
        return Measured(
            family=point.family,
            name=point.name,
            length=self.length,
            smaller=exact / size,
            excess_nll=like.excess,
            kl=like.kl,
            kl_p99=like.kl_p99,
            same=like.same,
            greedy=like.greedy,
            kept=sum(every) / len(every) if every else 1.0,
            kept_by_depth={f"{depth:g}": sum(rights) / len(rights) for depth, rights in by_depth.items()},
            asked=len(every),
        )

    def _own(self, probe: Probe) -> Read:
        state = read(self._loaded, probe.told)
        given = Given(probe.told, state.piece(0, len(probe.told)))
        return Read(given, forward_all(self._loaded, state, probe.rest))


class Speed(msgspec.Struct, frozen=True, kw_only=True):
    """Of one way to write state down: MB (10^6 bytes of the state's own numbers) a second, the median of the rounds."""

    name: str
    smaller: float
    write_mb_s: float
    read_mb_s: float


def codec_speed(codec: Codec, given: Given, chunk: int, rounds: int = 5) -> Speed:
    pieces = [(start, given.data[..., start : start + chunk, :]) for start in range(0, len(given.ids), chunk)]
    writes, reads, size = [], [], 0
    for _ in range(rounds):
        began = time.perf_counter()
        packed = [codec.encode(piece, start) for start, piece in pieces]
        writes.append(time.perf_counter() - began)
        size = sum(len(part) for parts in packed for part in parts)
        began = time.perf_counter()
        for parts, (start, piece) in zip(packed, pieces, strict=True):
            list(codec.decode(parts, piece.shape[3], start))
        reads.append(time.perf_counter() - began)
    return _speed(codec.name.partition(":")[0], given, size, writes, reads)


def format_speeds(given: Given, rounds: int = 5) -> list[Speed]:
    found = []
    for name, (write, restore) in formats(given).items():
        writes, reads, packed = [], [], b""
        for _ in range(rounds):
            began = time.perf_counter()
            packed = write()
            writes.append(time.perf_counter() - began)
            began = time.perf_counter()
            restore(packed)
            reads.append(time.perf_counter() - began)
        found.append(_speed(name, given, len(packed), writes, reads))
    return found


def _speed(name: str, given: Given, size: int, writes: Sequence[float], reads: Sequence[float]) -> Speed:
    from runtime.bench.statistics import median

    exact = given.data.nbytes
    return Speed(
        name=name,
        smaller=round(exact / size, 2),
        write_mb_s=round(exact / median(writes) / 1e6, 1),
        read_mb_s=round(exact / median(reads) / 1e6, 1),
    )
