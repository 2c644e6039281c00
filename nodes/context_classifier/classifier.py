"""The whole of the room without its process: requests in, replies out, what was learned kept in between."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from typing import TypeVar

from nodes.context_classifier import encoder, fits, rewards, scoring, snapshot
from nodes.context_classifier.classify import Questions, classify
from nodes.context_classifier.config import ContextConfig
from nodes.context_classifier.explaining import explained
from nodes.context_classifier.memory import Memory
from nodes.context_classifier.scorer import Saved, Scorer
from nodes.context_classifier.scoring import Features
from protocol.messages.context import (
    Classified,
    Classify,
    ContextExplained,
    ConversationScored,
    ExchangeScored,
    ExplainContext,
    Reward,
    ScoreConversation,
    ScoreExchange,
)

K = TypeVar("K")
V = TypeVar("V")

HEARD = 256
"""Inputs whose features are remembered until their exchange is scored."""


class Classifier:
    def __init__(
        self, config: ContextConfig, memory: Memory | None = None, saved: Saved | None = None, left: str = ""
    ) -> None:
        """`left`: why what was known does not go on, where there was something. Raises `FitMissing`."""
        self.config = config
        self.questions = questions(config)
        self.left = left
        self.memory = memory or Memory(config.limits, encoder.chosen(config.encoder))
        self.scorer = Scorer(config.weights, config.salience, config.scored, saved)
        self.changed = False
        """Whether there is something a snapshot would lose."""
        self._heard: OrderedDict[bytes, Features] = OrderedDict()
        self._counts = {"classified": 0, "unheard": 0, "begun_anew": int(bool(left))}

    @classmethod
    def restored(cls, config: ContextConfig, data: bytes) -> Classifier:
        """As it was when `data` was saved. Raises `SnapshotUnreadable`."""
        found = snapshot.restore(data, config.limits, encoder.chosen(config.encoder))
        return cls(config, found.memory, found.salience, found.left)

    def save(self) -> bytes:
        self.changed = False
        return snapshot.save(self.memory, self.scorer.save())

    def follow_encoder(self) -> str:
        """Begin anew where the encoder's vectors cannot be compared with those in memory any more.

        Why; "" where all goes on. What is known of salience rests on no vector, and stays.
        """
        memory, now = self.memory, self.memory.encoder.fingerprint
        before, memory.fingerprint = memory.fingerprint, now
        if before == now or not memory.clusters.records:
            return ""
        self.memory = Memory(memory.limits, memory.encoder)
        self.changed = True
        self._counts["begun_anew"] += 1
        self.left = f"what was known was learned by the encoder {before}, now there is {now}"
        return self.left

    def classify(self, request: Classify) -> Classified:
        """The context and salience of an input; it is known from then on."""
        seen, cluster = self.memory.meet(request.text, request.session)
        judged = classify(seen, self.questions)
        features = scoring.of_input(seen, request, self.scorer.met)
        _remember(self._heard, _digest(request.session, request.text), features, HEARD)
        self._counts["classified"] += 1
        self.changed = True
        return Classified(
            session=request.session,
            context=judged.context,
            confidence=judged.confidence,
            cluster=cluster,
            snarc=self.scorer.of_input(features),
            why=judged.why,
            correction=rewards.correction(request.text),
            repetition=seen.repetition,
            probabilities=judged.probabilities,
        )

    def explain(self, request: ExplainContext) -> ContextExplained:
        """What would be seen of an input, and how it would be judged. Nothing is learned."""
        seen, nearest = self.memory.consider(request.text, request.session)
        return explained(request.session, self.memory, seen, nearest, self.questions)

    def score(self, request: ScoreExchange) -> tuple[ExchangeScored, bool]:
        """The salience of a finished exchange, and whether it is new: a repeated request gets what stands."""
        stands = self.scorer.repeated(request.exchange)
        if stands is not None:
            return stands, False
        heard = self._heard.pop(_digest(request.session, request.question), None)
        self._counts["unheard"] += heard is None
        self.changed = True
        return self.scorer.of_exchange(request, heard or {}), True

    def reward(self, request: Reward) -> tuple[ExchangeScored, bool]:
        """Score an exchange anew by how it turned out, and whether that changed anything."""
        scored, changed = self.scorer.reward(request)
        self.changed = self.changed or changed
        return scored, changed

    def conversation(self, request: ScoreConversation) -> ConversationScored:
        return self.scorer.conversation(request.session)

    def forget(self, session: str) -> bool:
        """Forget where a conversation is: its next input begins anew. Whether anything was known of it."""
        known = self.memory.sessions.pop(session, None) is not None
        known = self.scorer.forget(session) or known
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
            "inputs_cut": self.memory.cut,
            **self.scorer.stats(),
        }


def questions(config: ContextConfig) -> Questions:
    """As they are fitted to the encoder. Raises `FitMissing`."""
    if config.encoder.name == "tokens":
        return config.questions
    return fits.load(config.encoder.name, config.encoder.fit).questions


def _remember(kept: OrderedDict[K, V], key: K, value: V, limit: int) -> None:
    kept[key] = value
    kept.move_to_end(key)
    while len(kept) > limit:
        kept.popitem(last=False)


def _digest(session: str, text: str) -> bytes:
    return hashlib.blake2b(f"{session}\0{text}".encode(), digest_size=16).digest()
