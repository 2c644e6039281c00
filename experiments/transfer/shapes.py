"""What moving takes at the true shapes, against reading: random weights and maps, so times alone mean something."""

from __future__ import annotations

import time
from collections.abc import Callable

import msgspec
import torch

from nodes.model_worker import levels, random_weights
from nodes.model_worker.kv.features import Features
from nodes.model_worker.kv.rotary import Rotary
from nodes.model_worker.kv.state import AttentionState
from nodes.model_worker.levels import Shape
from nodes.model_worker.loading import LoadedModel
from nodes.model_worker.reading import forward_all, read
from nodes.model_worker.transfer.manager import TAIL
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


def timed(source: str, target: str, length: int, ranks: tuple[int | None, ...], rounds: int) -> list[Timed]:
    known = levels.load(LEVELS)
    first, second = (known.by_name(name).shape for name in (source, target))
    assert first is not None
    assert second is not None
    receiver = random_weights.build(second, dtype="bfloat16", device="cpu", seed=0, chunk=128)
    ids = [number % second.vocab for number in range(length)]
    read_s = _median(lambda: read(receiver, ids), rounds)
    here, there = _features(first), Features.of(receiver)
    data = torch.randn(first.layers, 2, first.kv_heads, length, first.head_dim).bfloat16()
    found = []
    for rank in ranks:
        left = torch.randn(here.width, rank or there.width) * 0.01
        right = torch.randn(rank, there.width) * 0.01 if rank else None
        moved_s = _median(lambda left=left, right=right: _move(receiver, here, there, data, ids, left, right), rounds)  # type: ignore[misc]
        found.append(
            Timed(
                pair=f"{source} → {target}",
                length=length,
                rank=rank,
                parameters=left.numel() + (right.numel() if right is not None else 0),
                read_s=read_s,
                moved_s=moved_s,
            )
        )
    return found


def _move(
    receiver: LoadedModel,
    here: Features,
    there: Features,
    data: torch.Tensor,
    ids: list[int],
    left: torch.Tensor,
    right: torch.Tensor | None,
) -> None:
    end = len(ids) - TAIL
    rows = here.rows(data[..., :end, :], 0) @ left
    rows = rows if right is None else rows @ right
    state = AttentionState(receiver.state.layers, len(ids), receiver.device)
    state.append(there.state(rows, 0).bfloat16(), ids[:end], cold=False)
    forward_all(receiver, state, ids[end:])


def _features(shape: Shape) -> Features:
    turning = 1e6 ** -(torch.arange(0, shape.head_dim, 2) / shape.head_dim)
    bias = torch.zeros(shape.layers, 2, shape.kv_heads, 1, shape.head_dim)
    return Features(Rotary(turning, 1.0), bias, torch.bfloat16)


def _median(work: Callable[[], object], rounds: int) -> float:
    times = []
    for _ in range(rounds):
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return median(times)
