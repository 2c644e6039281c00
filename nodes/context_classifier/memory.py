"""What the classifier knows: groups of inputs, and where each conversation is. Vectors and checksums, never text.

Bounded: so many groups, so many conversations (the one not heard for longest goes), so many recent inputs in each.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import msgspec

from nodes.context_classifier import claims
from nodes.context_classifier.classify import Observation
from nodes.context_classifier.clusters import Clusters, Nearest
from nodes.context_classifier.conversation import seen_among
from nodes.context_classifier.course import Step
from nodes.context_classifier.encoder import Encoder, Hashed
from nodes.context_classifier.vectors import similarity

if TYPE_CHECKING:
    from nodes.context_classifier.vectors import Vector

RECENT = 8
"""Inputs of a conversation that are remembered one by one."""

LONGEST = 2048
"""Characters of an input that are looked at: what is longer must not keep the next one waiting."""

PULL = 0.5
"""How far one input moves the place where the conversation is."""


class Limits(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    clusters: int = 256
    sessions: int = 64
    join: float = 0.55
    """Similarity at which an input joins a group."""


@dataclass(frozen=True)
class Turn(Step):
    """One recent input of a conversation."""

    cluster: int


@dataclass
class Session:
    place: Vector
    """Running mean of its inputs: where the conversation is."""
    turns: deque[Turn]


class Memory:
    def __init__(self, limits: Limits, encoder: Encoder | None = None) -> None:
        self.limits = limits
        self.encoder: Encoder = encoder or Hashed()
        self.fingerprint = self.encoder.fingerprint
        """Of the encoder, when what is known was learned."""
        self.clusters = Clusters(limit=limits.clusters, join=limits.join, dimensions=self.encoder.dimensions)
        self.sessions: OrderedDict[str, Session] = OrderedDict()
        self.cut = 0
        """Inputs of which only the beginning was looked at."""

    def meet(self, text: str, name: str) -> tuple[Observation, int]:
        """Look at an input of conversation `name`, then learn from it. Returns what was seen, and its group."""
        step, nearest = self._look(text)
        return self._observe(step, nearest, name), self._learn(step, nearest, name)

    def consider(self, text: str, name: str) -> tuple[Observation, int]:
        """The same look, but nothing is learned. The group is the nearest one; -1 where there is none."""
        step, nearest = self._look(text)
        return self._observe(step, nearest, name), nearest.number if nearest else -1

    def _look(self, text: str) -> tuple[Step, Nearest | None]:
        self.cut += len(text) > LONGEST
        text = text[:LONGEST]
        vector = self.encoder.encode(text)
        return Step(vector, claims.hear(text, self.encoder.row)), self.clusters.nearest(vector)

    def _observe(self, step: Step, nearest: Nearest | None, name: str) -> Observation:
        session = self.sessions.get(name)
        turns = list(session.turns) if session else []
        joins = nearest is not None and nearest.similarity >= self.limits.join
        before = turns[-1].cluster if turns else None
        return Observation(
            similarity=nearest.similarity if nearest else 0.0,
            members=nearest.members if nearest else 0,
            joins=joins,
            expected=self.clusters.expected(nearest.number, before) if nearest and joins else 0.0,
            continuity=similarity(step.vector, session.place) if session else None,
            **asdict(seen_among(step, turns, self.encoder)),
        )

    def _learn(self, step: Step, nearest: Nearest | None, name: str) -> int:
        cluster = self.clusters.absorb(step.vector, nearest)
        session = self.sessions.pop(name, None)
        if session is None:
            session = Session(step.vector, deque(maxlen=RECENT))
            while len(self.sessions) >= self.limits.sessions:
                self.sessions.popitem(last=False)
        else:
            self.clusters.follow(session.turns[-1].cluster, cluster)
            session.place = session.place + PULL * (step.vector - session.place)
        session.turns.append(Turn(step.vector, step.heard, cluster))
        self.sessions[name] = session
        return cluster
