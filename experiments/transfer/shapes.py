"""What moving takes at the true shapes, against reading: random weights and maps, so times alone mean something."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial

import msgspec
import torch

from nodes.model_worker import levels, random_weights
from nodes.model_worker.kv.features import Features
from nodes.model_worker.kv.state import AttentionState
from nodes.model_worker.loading import LoadedModel
from nodes.model_worker.reading import forward_all, read
from nodes.model_worker.transfer.manager import TAIL
from nodes.model_worker.transfer.projector import Part, Projector
from runtime.bench.statistics import median

LEVELS = "configs/levels.qwen.yaml"
RANK = 512


class Timed(msgspec.Struct, frozen=True, kw_only=True):
    pair: str
    length: int
    rank: int | None
    """None: full."""
    parameters: int
    read_s: float
    moved_s: float
    """Un-turned, mapped, turned, put in place, and the tail read."""

    @property
    def sooner(self) -> float:
        return self.read_s / self.moved_s


def timed(
    source: str, target: str, lengths: Sequence[int], ranks: Sequence[int | None], rounds: int
) -> Iterator[list[Timed]]:
    """Length by length, every rank."""
    known = levels.load(LEVELS)
    first, second = (known.by_name(name).shape for name in (source, target))
    assert first is not None
    assert second is not None
    receiver = random_weights.build(second, dtype="bfloat16", device="cpu", seed=0, chunk=128)
    here, there = random_weights.features(first), Features.of(receiver)
    maps = {rank: _random_map(here.width, there.width, rank) for rank in ranks}
    for length in lengths:
        ids = [number % second.vocab for number in range(length)]
        read_s = _median(lambda ids=ids: read(receiver, ids), rounds)  # type: ignore[misc]
        data = torch.randn(first.layers, 2, first.kv_heads, length, first.head_dim).bfloat16()
        found = []
        for rank, projector in maps.items():
            move = partial(_move, receiver, here, there, projector, data, ids)
            found.append(
                Timed(
                    pair=f"{source} → {target}",
                    length=length,
                    rank=rank,
                    parameters=projector.parameters,
                    read_s=read_s,
                    moved_s=_median(move, rounds),
                )
            )
        yield found


def _random_map(source: int, target: int, rank: int | None) -> Projector:
    left = torch.randn(source, rank or target) * 0.01
    right = torch.randn(rank, target) * 0.01 if rank else None
    return Projector(torch.zeros(source), torch.zeros(target), (Part(slice(0, target), None, left, right),))


def _move(
    receiver: LoadedModel,
    here: Features,
    there: Features,
    projector: Projector,
    data: torch.Tensor,
    ids: Sequence[int],
) -> None:
    end = len(ids) - TAIL
    rows = projector(here.rows(data[..., :end, :], 0))
    state = AttentionState(receiver.state.layers, len(ids), receiver.device)
    state.append(there.state(rows, 0).bfloat16(), ids[:end], cold=False)
    forward_all(receiver, state, ids[end:])


def _median(work: Callable[[], object], rounds: int) -> float:
    times = []
    for _ in range(rounds):
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return median(times)
