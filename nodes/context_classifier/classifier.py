"""The whole of the room without its process: requests in, replies out, what was learned kept in between."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from typing import TypeVar

from nodes.context_classifier import salience, snapshot
from nodes.context_classifier.classify import classify
from nodes.context_classifier.config import ContextConfig
from nodes.context_classifier.memory import Memory
from protocol.messages.context import Classified, Classify, ExchangeScored, ScoreExchange, Snarc

K = TypeVar("K")

HEARD = 256
"""Inputs whose salience is remembered until their exchange is scored."""


class Classifier:
    def __init__(
        self, config: ContextConfig, memory: Memory | None = None, scored: dict[str, Snarc] | None = None
    ) -> None:
        self.config = config
        self.memory = memory or Memory(config.limits)
        self.scored = OrderedDict(scored or {})
        self.changed = False
        """Whether there is something a snapshot would lose."""
        self._heard: OrderedDict[bytes, Snarc] = OrderedDict()
        self._counts = {"classified": 0, "scored": 0, "repeated": 0, "unheard": 0}

    @classmethod
    def restored(cls, config: ContextConfig, data: bytes) -> Classifier:
        """As it was when `data` was saved. Raises `SnapshotUnreadable`."""
        return cls(config, *snapshot.restore(data, config.limits))

    def save(self) -> bytes:
        self.changed = False
        return snapshot.save(self.memory, dict(self.scored))

    def classify(self, request: Classify) -> Classified:
        """The context and salience of an input; it is known from then on."""
        seen, cluster = self.memory.meet(request.text, request.session)
        judged = classify(seen, self.config.thresholds)
        snarc = salience.of_input(seen, request.text, self.config.thresholds, self.config.weights)
        _remember(self._heard, _digest(request.session, request.text), snarc, HEARD)
        self._counts["classified"] += 1
        self.changed = True
        return Classified(
            session=request.session,
            context=judged.context,
            confidence=judged.confidence,
            cluster=cluster,
            snarc=snarc,
            why=judged.why,
        )

    def score(self, request: ScoreExchange) -> tuple[ExchangeScored, bool]:
        """The salience of a finished exchange, and whether it is new: a repeated request gets the first one's."""
        known = self.scored.get(request.exchange)
        if known is not None:
            self._counts["repeated"] += 1
            return ExchangeScored(exchange=request.exchange, snarc=known), False
        heard = self._heard.pop(_digest(request.session, request.question), None)
        self._counts["unheard"] += heard is None
        snarc = salience.of_exchange(request, heard, self.config.weights)
        _remember(self.scored, request.exchange, snarc, self.config.scored)
        self._counts["scored"] += 1
        self.changed = True
        return ExchangeScored(exchange=request.exchange, snarc=snarc), True

    def forget(self, session: str) -> bool:
        """Forget where a conversation is: its next input begins anew. Whether anything was known of it."""
        known = self.memory.sessions.pop(session, None) is not None
        self.changed = self.changed or known
        return known

    def stats(self) -> dict[str, float]:
        clusters = self.memory.clusters
        return {
            **self._counts,
            "clusters": len(clusters.records),
            "clusters_evicted": clusters.evicted,
            "sessions": len(self.memory.sessions),
            "inputs": clusters.inputs,
        }


def _remember(kept: OrderedDict[K, Snarc], key: K, snarc: Snarc, limit: int) -> None:
    kept[key] = snarc
    kept.move_to_end(key)
    while len(kept) > limit:
        kept.popitem(last=False)


def _digest(session: str, text: str) -> bytes:
    return hashlib.blake2b(f"{session}\0{text}".encode(), digest_size=16).digest()
