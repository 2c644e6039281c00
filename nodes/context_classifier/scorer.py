"""Salience of inputs, exchanges and conversations as they come, and again as more is learned of an exchange.

It remembers numbers and reasons, never what was said.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Mapping
from dataclasses import replace

import msgspec

from nodes.context_classifier import scoring
from nodes.context_classifier.feature import Feature
from nodes.context_classifier.ranks import Histories, Usual
from nodes.context_classifier.rewards import authority, judges
from nodes.context_classifier.salience import DIMENSIONS, Part, Salience, Weights, combined
from nodes.context_classifier.scoring import Features
from protocol.messages.context import ConversationScored, ExchangeScored, Reward, ScoreExchange, Snarc

REMEMBERED = 8
"""Exchanges of a conversation that its salience rests on."""


class Remembered(msgspec.Struct, kw_only=True):
    """An exchange that was scored."""

    session: str
    snarc: Snarc
    conversation: Snarc = Snarc()
    """Of its conversation, when this one was scored last."""
    before: Features = {}
    """Its features but for its outcome."""
    confidence: float = 0.0
    value: float | None = None
    source: str = ""
    """Who told `value`."""
    usual: Usual | None = None
    """Nats that an outcome cost as a rule when this one was first judged."""
    revision: int = 0

    @property
    def features(self) -> Features:
        """With its outcome, where that is known."""
        if self.value is None:
            return self.before
        return scoring.with_outcome(
            self.before, self.confidence, self.value, self.source, self.usual or Usual(0.0, 0.0)
        )


class Saved(msgspec.Struct, kw_only=True):
    histories: dict[str, list[float]] = {}
    exchanges: dict[str, Remembered] = {}
    conversations: dict[str, list[str]] = {}
    """Session → its last exchanges, oldest first."""


class Scorer:
    def __init__(self, weights: Weights, settings: Salience, remembered: int, saved: Saved | None = None) -> None:
        """`remembered`: exchanges whose score can be asked for again, and revised."""
        saved = saved or Saved()
        self._weights = weights
        self._settings = settings
        self._limit = remembered
        self._met = Histories(settings.history, settings.prior, saved.histories)
        self._exchanges = OrderedDict(saved.exchanges)
        self._conversations = OrderedDict(
            (session, deque(exchanges, maxlen=REMEMBERED)) for session, exchanges in saved.conversations.items()
        )
        self._counts = {"scored": 0, "repeated": 0, "revised": 0, "outranked": 0, "unknown": 0}

    @property
    def met(self) -> Histories:
        return self._met

    def save(self) -> Saved:
        return Saved(
            histories=self._met.save(),
            exchanges=dict(self._exchanges),
            conversations={session: list(exchanges) for session, exchanges in self._conversations.items()},
        )

    def stats(self) -> dict[str, float]:
        return {
            **self._counts,
            "exchanges": len(self._exchanges),
            "conversations": len(self._conversations),
            "histories": len(self._met),
            "histories_forgotten": self._met.forgotten,
        }

    def of_input(self, features: Features) -> Snarc:
        return self._combined(self._ranked("input", features))

    def repeated(self, exchange: str) -> ExchangeScored | None:
        """What stands of an exchange that was scored before; None where it was not."""
        if exchange not in self._exchanges:
            return None
        self._counts["repeated"] += 1
        return self._said(exchange)

    def of_exchange(self, request: ScoreExchange, heard: Features) -> ExchangeScored:
        """The score of an exchange that was not scored before. `heard`: features of what came in, if still known."""
        features = scoring.of_exchange(request, heard, self._met)
        told = Remembered(session=request.session, snarc=Snarc(), before=features, confidence=request.confidence)
        if request.score is not None:
            self._judge(told, request.score, request.verifier or "verifier")
        told.snarc = self._combined(self._ranked("exchange", told.features))
        self._remember(request.exchange, told)
        told.conversation = self._of_conversation(told.session, learn=True)
        self._counts["scored"] += 1
        return self._said(request.exchange)

    def reward(self, reward: Reward) -> tuple[ExchangeScored, bool]:
        """Score an exchange anew by how it turned out; whether that changed anything."""
        told = self._exchanges.get(reward.exchange)
        if told is None:
            self._counts["unknown"] += 1
            return ExchangeScored(exchange=reward.exchange, snarc=Snarc(), known=False), False
        if (told.value, told.source) == (reward.value, reward.source):
            self._counts["repeated"] += 1
            return self._said(reward.exchange), False
        if told.value is not None and authority(reward.source) < authority(told.source):
            self._counts["outranked"] += 1
            return self._said(reward.exchange), False
        before = told.features
        self._judge(told, reward.value, reward.source)
        told.snarc = self._combined(self._reranked("exchange", before, told))
        told.conversation = self._of_conversation(told.session)
        told.revision += 1
        self._counts["revised"] += 1
        return self._said(reward.exchange), True

    def forget(self, session: str) -> bool:
        """Forget a conversation; its exchanges stay, as numbers that belong to nobody. Whether it was known."""
        for told in self._exchanges.values():
            if told.session == session:
                told.session = ""
        return self._conversations.pop(session, None) is not None

    def features(self, exchange: str) -> Features:
        """What was noticed of a scored exchange, on absolute scales; nothing of one that is not remembered."""
        told = self._exchanges.get(exchange)
        return told.features if told else {}

    def conversation(self, session: str) -> ConversationScored:
        """What a conversation is worth now."""
        return ConversationScored(
            session=session, snarc=self._of_conversation(session), exchanges=len(self._lately(session))
        )

    # An exchange

    def _judge(self, told: Remembered, value: float, source: str) -> None:
        if judges(source) and told.usual is None:
            told.usual = scoring.usual_outcome(scoring.outcome_nats(told.confidence, value), self._met)
        told.value, told.source = value, source

    def _remember(self, exchange: str, told: Remembered) -> None:
        self._exchanges[exchange] = told
        while len(self._exchanges) > self._limit:
            self._exchanges.popitem(last=False)
        held = self._conversations.setdefault(told.session, deque(maxlen=REMEMBERED))
        held.append(exchange)
        self._conversations.move_to_end(told.session)
        while len(self._conversations) > self._settings.conversations:
            self._conversations.popitem(last=False)

    def _said(self, exchange: str) -> ExchangeScored:
        """The score as it stands."""
        told = self._exchanges[exchange]
        return ExchangeScored(
            exchange=exchange,
            snarc=told.snarc,
            session=told.session,
            revision=told.revision,
            conversation=told.conversation,
            outcome=told.value,
            outcome_source=told.source,
        )

    # A conversation

    def _lately(self, session: str) -> list[Remembered]:
        """Its last exchanges that are remembered, the newest first."""
        exchanges = reversed(self._conversations.get(session, ()))
        return [self._exchanges[exchange] for exchange in exchanges if exchange in self._exchanges]

    def _of_conversation(self, session: str, *, learn: bool = False) -> Snarc:
        """Of each dimension the greatest among its last exchanges, each faded by those after it.

        `learn`: others are ranked with it from then on.
        """
        features: Features = {}
        for back, told in enumerate(self._lately(session)):
            for name, feature in told.features.items():
                faded = Feature(feature.scale * self._settings.fade**back, _ago(feature.why, back))
                if name not in features or faded.scale > features[name].scale:
                    features[name] = faded
        return self._combined(self._ranked("conversation", features, learn=learn))

    # Ranks

    def _combined(self, parts: Mapping[str, Part]) -> Snarc:
        return combined(parts, self._weights, self._settings)

    def _ranked(self, kind: str, features: Features, *, learn: bool = True) -> dict[str, Part]:
        """Each feature among the last ones of its kind, of which it is one from then on."""
        parts = {}
        for name in DIMENSIONS:
            if name in features:
                parts[name] = Part(features[name], self._met.rank(_key(kind, name), features[name].scale))
                if learn:
                    self._met.add(_key(kind, name), features[name].scale)
        return parts

    def _reranked(self, kind: str, before: Features, told: Remembered) -> dict[str, Part]:
        """Ranks of an exchange that was ranked before: only what changed takes another place among the others."""
        parts = {name: Part(feature, getattr(told.snarc, name)) for name, feature in told.features.items()}
        for name, part in parts.items():
            was = before.get(name)
            if was is not None and was.scale == part.feature.scale:
                continue
            if was is not None:
                self._met.remove(_key(kind, name), was.scale)
            parts[name] = replace(part, rank=self._met.rank(_key(kind, name), part.feature.scale))
            self._met.add(_key(kind, name), part.feature.scale)
        return parts


def _key(kind: str, dimension: str) -> str:
    return f"{kind}/{dimension}"


def _ago(why: str, back: int) -> str:
    return why if not back else f"{back} exchange{'s' if back > 1 else ''} ago: {why}"
