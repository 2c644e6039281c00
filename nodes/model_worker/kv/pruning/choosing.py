"""The tokens that stay. Imports torch."""

from __future__ import annotations

from torch import Tensor

from nodes.model_worker.kv.pruning.recent import SINKS

LAST = 16
"""Last tokens that always stay: what comes next goes on from them."""


def best(scores: Tensor, room: int) -> list[int]:
    """Places, in order, of the at most `room` tokens that stay: the first few, the last, and those of highest score."""
    tokens = len(scores)
    if room >= tokens:
        return list(range(tokens))
    first = min(SINKS, room)
    last = min(LAST, room - first)
    always = {*range(first), *range(tokens - last, tokens)}
    others = [place for place in scores.argsort(descending=True, stable=True).tolist() if place not in always]
    return sorted([*always, *others[: room - len(always)]])
