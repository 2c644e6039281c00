"""What the classifier knows: word rarity, groups, and where each conversation is. Vectors only, never text.

Bounded: so many groups, so many conversations (the one not heard for longest goes), so many recent inputs in each.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from nodes.context_classifier.classify import Observation
from nodes.context_classifier.clusters import Clusters, Nearest
from nodes.context_classifier.vectors import Rarity, affirmed, denies, encode, similarity

if TYPE_CHECKING:
    from nodes.context_classifier.vectors import Vector

RECENT = 6
"""Inputs of a conversation that are remembered one by one."""

PULL = 0.5
"""How far one input moves the place where the conversation is."""

UNLIKE = 0.4
"""Two recent inputs below this similarity are different enough to swing between."""


class Limits(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    clusters: int = 256
    sessions: int = 64
    join: float = 0.55
    """Similarity at which an input joins a group."""


@dataclass(frozen=True)
class Turn:
    """One recent input of a conversation."""

    cluster: int
    vector: Vector
    statement: Vector
    """The same without its negating words."""
    denies: bool


@dataclass
class Session:
    place: Vector
    """Running mean of its inputs: where the conversation is."""
    turns: deque[Turn]


class Memory:
    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.rarity = Rarity()
        self.clusters = Clusters(limit=limits.clusters, join=limits.join)
        self.sessions: OrderedDict[str, Session] = OrderedDict()

    def meet(self, text: str, name: str) -> tuple[Observation, int]:
        """Look at an input of conversation `name`, then learn from it. Returns what was seen, and its group."""
        vector = encode(text)
        turn = Turn(-1, vector, encode(affirmed(text)), denies(text))
        weights = self.rarity.weights()
        nearest = self.clusters.nearest(vector, weights)
        seen = self._observe(turn, nearest, self.sessions.get(name), weights)
        return seen, self._learn(turn, nearest, name)

    def _observe(self, turn: Turn, nearest: Nearest | None, session: Session | None, weights: Vector) -> Observation:
        turns = list(session.turns) if session else []
        before = turns[-1].cluster if turns else None
        joins = nearest is not None and nearest.similarity >= self.limits.join
        return Observation(
            similarity=nearest.similarity if nearest else 0.0,
            members=nearest.members if nearest else 0,
            joins=joins,
            expected=self.clusters.expected(nearest.number, before) if nearest and joins else 0.0,
            continuity=similarity(turn.vector, session.place, weights) if session else None,
            echo=max((similarity(turn.vector, other.vector, weights) for other in turns), default=0.0),
            swinging=swinging([*(other.vector for other in turns), turn.vector], weights),
            contradiction=max(
                (
                    similarity(turn.statement, other.statement, weights)
                    for other in turns
                    if other.denies != turn.denies
                ),
                default=0.0,
            ),
        )

    def _learn(self, turn: Turn, nearest: Nearest | None, name: str) -> int:
        self.rarity.observe(turn.vector)
        cluster = self.clusters.absorb(turn.vector, nearest)
        session = self.sessions.pop(name, None)
        if session is None:
            session = Session(turn.vector, deque(maxlen=RECENT))
            while len(self.sessions) >= self.limits.sessions:
                self.sessions.popitem(last=False)
        else:
            self.clusters.follow(session.turns[-1].cluster, cluster)
            session.place = session.place + PULL * (turn.vector - session.place)
        session.turns.append(Turn(cluster, turn.vector, turn.statement, turn.denies))
        self.sessions[name] = session
        return cluster


def swinging(vectors: list[Vector], weights: Vector) -> float:
    """How much the newest inputs go to and fro, 0..1.

    Counts, from the newest backwards, the unbroken run of inputs that return to the last but one over something unlike
    it: A B A is one return. One return alone may be chance, so r returns give r / (r + 1), and none below two count.
    """
    returns = 0
    for newest in range(len(vectors) - 1, 1, -1):
        one, between, other = vectors[newest], vectors[newest - 1], vectors[newest - 2]
        went_back = similarity(one, other, weights) > 1 - UNLIKE / 2
        if not went_back or similarity(one, between, weights) > UNLIKE:
            break
        returns += 1
    return returns / (returns + 1) if returns >= 2 else 0.0
