"""What the classifier knows: groups of inputs, and where each conversation is. Vectors and checksums, never text.

Bounded: so many groups, so many conversations (the one not heard for longest goes), so many recent inputs in each.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from nodes.context_classifier import claims, course
from nodes.context_classifier.classify import Observation
from nodes.context_classifier.clusters import Clusters, Nearest
from nodes.context_classifier.course import Step
from nodes.context_classifier.encoder import Encoder, Hashed
from nodes.context_classifier.vectors import similarity

if TYPE_CHECKING:
    from nodes.context_classifier.vectors import Vector

RECENT = 8
"""Inputs of a conversation that are remembered one by one."""

PULL = 0.5
"""How far one input moves the place where the conversation is."""


RELATED = 3
"""Inputs of a conversation that the next one may be related to by what it speaks of."""


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
        self.clusters = Clusters(limit=limits.clusters, join=limits.join, dimensions=self.encoder.dimensions)
        self.sessions: OrderedDict[str, Session] = OrderedDict()

    def meet(self, text: str, name: str) -> tuple[Observation, int]:
        """Look at an input of conversation `name`, then learn from it. Returns what was seen, and its group."""
        step, nearest = self._look(text)
        return self._observe(step, nearest, name), self._learn(step, nearest, name)

    def consider(self, text: str, name: str) -> tuple[Observation, int]:
        """The same look, but nothing is learned. The group is the nearest one; -1 where there is none."""
        step, nearest = self._look(text)
        return self._observe(step, nearest, name), nearest.number if nearest else -1

    def _look(self, text: str) -> tuple[Step, Nearest | None]:
        vector = self.encoder.encode(text)
        return Step(vector, claims.hear(text, self.encoder.row)), self.clusters.nearest(vector)

    def _observe(self, step: Step, nearest: Nearest | None, name: str) -> Observation:
        session = self.sessions.get(name)
        turns = list(session.turns) if session else []
        likeness = [similarity(step.vector, turn.vector) for turn in turns]
        odds = claims.conflict(
            step.heard,
            [(turn.heard, alike) for turn, alike in zip(turns, likeness, strict=True)],
            self.encoder.sort,
        )
        joins = nearest is not None and nearest.similarity >= self.limits.join
        steps = [*turns, step]
        part = self.encoder.meaning
        meant = [(turn, similarity(step.vector[part], turn.vector[part])) for turn in turns[-RELATED:]]
        return Observation(
            similarity=nearest.similarity if nearest else 0.0,
            members=nearest.members if nearest else 0,
            joins=joins,
            expected=self.clusters.expected(nearest.number, turns[-1].cluster if turns else None)
            if nearest and joins
            else 0.0,
            continuity=similarity(step.vector, session.place) if session else None,
            echo=max(likeness, default=0.0),
            swinging=course.swinging(steps, self.encoder.sort),
            contradiction=odds.strength,
            against=odds.why,
            last=likeness[-1] if likeness else None,
            repeats=course.repeats(steps),
            run=course.run(steps, self.encoder.sort),
            parallel=max(
                (claims.parallel(step.heard, turn.heard, self.encoder.sort) for turn in turns[-2:]), default=0.0
            ),
            meant=max((one for turn, one in meant[-2:] if turn.heard.tells == step.heard.tells), default=0.0),
            about=max((one for _, one in meant), default=0.0),
            agrees=any(claims.agrees(step.heard, turn.heard, self.encoder.sort) for turn in turns),
            kinship=claims.kinship(
                step.heard, [turn.heard for turn in turns[-RELATED:]], self.encoder.sort, self.encoder.weight
            ),
            kept=claims.kept(step.heard, [turn.heard for turn in turns]),
            drift=course.drift(steps),
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
