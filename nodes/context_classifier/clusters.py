"""Groups of inputs that resemble each other, found as they come: leader clustering with a cosine threshold.

An input joins the nearest group at or above `join`, and its centre moves towards it; otherwise it leads a new group.
Numbers of groups grow and are never used again. When there are `limit`, the one least worth keeping makes room: the
smallest, and among those the one not met for longest.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from nodes.context_classifier.vectors import Vector

SLOWEST = 0.02
"""A centre moves by 1 / members, but never by less: an old group still follows what it is used for."""

PRIOR = 2.0
"""Observations that the overall frequency of a group counts for when a successor is predicted."""


@dataclass(frozen=True)
class Nearest:
    number: int
    similarity: float
    """0..1"""
    members: int


class Record(msgspec.Struct, kw_only=True):
    """What is remembered of a group beside its centre."""

    number: int
    members: int
    met: int
    """When it was last met, counted in inputs."""
    next: dict[int, int]
    """Number of the group that followed within the same conversation → how often."""


class Clusters:
    """At most `limit` groups. Row i of `centres` [limit, dimensions] belongs to `records[i]`."""

    def __init__(self, *, limit: int, join: float, dimensions: int) -> None:
        import numpy as np

        self.limit = limit
        self.join = join
        self.centres = np.zeros((limit, dimensions), dtype=np.float32)
        self.records: list[Record] = []
        self.inputs = 0
        self.evicted = 0
        self.highest = -1

    def nearest(self, vector: Vector) -> Nearest | None:
        """The group most like `vector`; None where there is none yet or the vector is empty."""
        import numpy as np

        norm = float(np.linalg.norm(vector))
        if not self.records or norm == 0:
            return None
        centres = self.centres[: len(self.records)]
        norms = np.sqrt(np.einsum("ij,ij->i", centres, centres))
        cosines = centres @ vector / np.maximum(norms * norm, 1e-12)
        row = int(np.argmax(cosines))
        record = self.records[row]
        return Nearest(record.number, min(1.0, max(0.0, float(cosines[row]))), record.members)

    def absorb(self, vector: Vector, nearest: Nearest | None) -> int:
        """Let the input join `nearest`, or lead a new group. Returns the number of its group."""
        self.inputs += 1
        row = self._row(nearest.number) if nearest and nearest.similarity >= self.join else None
        if row is None:
            return self._lead(vector)
        record = self.records[row]
        record.members += 1
        record.met = self.inputs
        self.centres[row] += max(1 / record.members, SLOWEST) * (vector - self.centres[row])
        return record.number

    def follow(self, before: int, after: int) -> None:
        """Remember that an input of group `after` came next after one of group `before`."""
        row = self._row(before)
        if row is not None:
            followers = self.records[row].next
            followers[after] = followers.get(after, 0) + 1

    def expected(self, number: int, before: int | None) -> float:
        """Probability 0..1 that an input of this group comes now, smoothed by how frequent the group is at all."""
        row = self._row(number)
        if row is None or not self.inputs:
            return 0.0
        frequent = self.records[row].members / sum(record.members for record in self.records)
        previous = self._row(before) if before is not None else None
        if previous is None:
            return frequent
        followers = self.records[previous].next
        return (followers.get(number, 0) + PRIOR * frequent) / (sum(followers.values()) + PRIOR)

    def _lead(self, vector: Vector) -> int:
        self.highest += 1
        record = Record(number=self.highest, members=1, met=self.inputs, next={})
        if len(self.records) < self.limit:
            self.records.append(record)
            row = len(self.records) - 1
        else:
            row = min(range(self.limit), key=lambda at: (self.records[at].members, self.records[at].met))
            self._forget_successor(self.records[row].number)
            self.records[row] = record
            self.evicted += 1
        self.centres[row] = vector
        return record.number

    def _forget_successor(self, number: int) -> None:
        for record in self.records:
            record.next.pop(number, None)

    def _row(self, number: int) -> int | None:
        for row, record in enumerate(self.records):
            if record.number == number:
                return row
        return None
