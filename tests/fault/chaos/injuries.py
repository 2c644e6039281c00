"""What is done to whom, in which order: drawn from a seed. Pure.

Nodes are drawn without putting back until all have had their turn, and so are the kinds for each node: a hundred
injuries reach every node in every way.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

T = TypeVar("T")

Kind = Literal["kill", "pause", "freeze"]
"""kill is SIGKILL; pause is SIGSTOP and, soon, SIGCONT; freeze is SIGSTOP, and the supervisor must find it."""

KINDS: tuple[Kind, ...] = ("kill", "kill", "kill", "pause", "freeze")
PAIR_CHANCE = 0.2
PAUSE_S = (0.3, 2.5)
"""Shortest and longest pause: below any liveness of the launch file."""


@dataclass(frozen=True)
class Injury:
    node: str
    kind: Kind
    pause_s: float = 0.0

    def __str__(self) -> str:
        return f"{self.kind} {self.node}"


Step = tuple[Injury, ...]
"""Injuries at the same moment, to different nodes."""


def plan(seed: int, count: int, nodes: Sequence[str]) -> list[Step]:
    """`count` injuries, some of them two at once. The same arguments always give the same plan."""
    chance = random.Random(f"chaos/{seed}")
    victims = _dealt(list(nodes), chance)
    kinds = {node: _dealt(list(KINDS), chance) for node in nodes}
    steps: list[Step] = []
    left = count
    while left:
        step = [_injury(next(victims), kinds, chance)]
        if left >= 2 and chance.random() < PAIR_CHANCE and (other := next(victims)) != step[0].node:
            step.append(_injury(other, kinds, chance))
        steps.append(tuple(step))
        left -= len(step)
    return steps


def _injury(node: str, kinds: dict[str, Iterator[Kind]], chance: random.Random) -> Injury:
    kind = next(kinds[node])
    return Injury(node, kind, chance.uniform(*PAUSE_S) if kind == "pause" else 0.0)


def _dealt(deck: list[T], chance: random.Random) -> Iterator[T]:
    """The cards of the deck in random order, again and again."""
    while True:
        yield from chance.sample(deck, len(deck))
