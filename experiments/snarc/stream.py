"""What is said, sent through the smallest model and the sense of context as the running system does it.

The model is the real one behind its engine, and judges what it reads; verifiers are the registered ones. Only a larger
level's words, where the plan has them, are put into its mouth.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import msgspec

from experiments.reference.verifiers import CurriculumVerifier
from experiments.snarc.causes import SAME, Turn
from nodes.context_classifier.classifier import Classifier
from nodes.context_classifier.scoring import Features
from nodes.dialogue import conversation, deliveries, hindsight
from nodes.dialogue.cascade import Attempt, Decision
from nodes.dialogue.choice import Candidate
from nodes.dialogue.conversation import Conversation, ConversationLimits
from nodes.dialogue.deliveries import Finished
from nodes.model_worker.engine import Engine
from protocol.messages.context import Classified, Classify, ExchangeScored, Reward, ScoreExchange, Snarc
from protocol.messages.dialogue import Answer
from protocol.messages.model import ChatMessage, Generate, Generated, Token
from runtime.verifiers import judge

LIMITS = ConversationLimits(turns=40, characters=5000)
SMALL, LARGE = Candidate("sensory", 1.0, 0.9), Candidate("specialized", 5.5, 0.0)
VERIFIERS = [CurriculumVerifier()]
AT_ONCE_NS = 1
"""Every turn follows at once on the one before."""


@dataclass
class Measured:
    """One turn as it was scored, the last time."""

    turn: Turn
    classified: Classified
    request: ScoreExchange
    scored: ExchangeScored
    features: Features
    """As they stood when it was scored first."""
    spread: float
    """Standard deviation of the log-probabilities of the reply's tokens; 0 where there are fewer than two."""
    revisions: list[Snarc] = field(default_factory=list)

    @property
    def snarc(self) -> Snarc:
        return self.scored.snarc


class Stream:
    def __init__(self, engine: Engine, classifier: Classifier) -> None:
        self._engine = engine
        self._classifier = classifier
        self._conversations: dict[str, Conversation] = {}
        self._by_exchange: dict[str, Measured] = {}

    def run(self, turns: Iterable[Turn]) -> Iterator[Measured]:
        """Each turn as it is measured; what is learned of one later changes it in place."""
        for number, turn in enumerate(turns):
            yield self._take(f"exchange {number}", turn)

    def _take(self, exchange: str, turn: Turn) -> Measured:
        before = self._conversations.get(turn.session, Conversation())
        classify = Classify(
            text=turn.text,
            session=turn.session,
            speech=turn.rate is not None,
            loudness=turn.loudness,
            rate=turn.rate,
        )
        classified = self._classifier.classify(classify)
        attempts, spread = self._attempts(turn, before)
        finished = _finished(exchange, turn, before, classified, attempts)
        for owed in deliveries.deliveries(finished):
            if isinstance(owed.request, Reward):
                self._reward(owed.request)
            elif isinstance(owed.request, ScoreExchange):
                scored, _ = self._classifier.score(owed.request)
                features = self._classifier.scorer.features(exchange)
                found = Measured(turn, classified, owed.request, scored, features, spread)
                self._by_exchange[exchange] = found
        if turn.told is not None:
            self._reward(Reward(exchange=exchange, value=turn.told, source=deliveries.USER))
        said = finished.answer.text
        after = conversation.extended(before, turn.text, said, "sensory", LIMITS, exchange)
        self._conversations[turn.session] = msgspec.structs.replace(after, ended_ns=AT_ONCE_NS)
        return self._by_exchange[exchange]

    def _attempts(self, turn: Turn, before: Conversation) -> tuple[list[Attempt], float]:
        attempts: list[Attempt] = []
        spread = 0.0
        if turn.small_too:
            small, spread = self._generate(turn, before)
            attempts.append(Attempt(SMALL, small, 0.0))
        if turn.larger is not None:
            said = attempts[0].generated.text if turn.larger == SAME else turn.larger
            attempts.append(Attempt(LARGE, _larger(said, turn.sure), 0.0))
        return attempts, spread

    def _generate(self, turn: Turn, before: Conversation) -> tuple[Generated, float]:
        tokens: list[Token] = []
        request = Generate(
            messages=conversation.asking(before, turn.text),
            session=turn.session,
            judge_input=True,
            overflow="shorten",
        )
        generated = self._engine.generate(request, on_token=tokens.append)
        logprobs = [token.logprob for token in tokens]
        return generated, statistics.pstdev(logprobs) if len(logprobs) > 1 else 0.0

    def _reward(self, reward: Reward) -> None:
        scored, changed = self._classifier.reward(reward)
        if changed:
            found = self._by_exchange[reward.exchange]
            found.revisions.append(found.scored.snarc)
            found.scored = scored


def _finished(
    exchange: str, turn: Turn, before: Conversation, classified: Classified, attempts: list[Attempt]
) -> Finished:
    chosen = attempts[-1]
    verdict = None
    if turn.asked is not None:
        messages = [ChatMessage(role=message.role, content=message.content) for message in turn.asked.messages]
        verdict = judge(VERIFIERS, messages, chosen.generated.text)
    answer = Answer(
        exchange=exchange,
        session=turn.session,
        question=turn.text,
        text=chosen.generated.text.strip(),
        answered_by=chosen.level.name,
        why="",
        context=classified.context,
        snarc=classified.snarc,
        confidence=chosen.generated.confidence,
        score=verdict[1].score if verdict else None,
        verifier=verdict[0] if verdict else "",
    )
    decided = [(attempt, Decision(attempt is chosen, "")) for attempt in attempts]
    after = hindsight.of_turn(before, classified, AT_ONCE_NS)
    return Finished(answer, [], decided, chosen, classified, 0.0, hindsight=after)


def _larger(text: str, sure: float) -> Generated:
    return Generated(
        text=text,
        ids=[],
        stop_reason="stop",
        tokens_reused=0,
        tokens_computed=0,
        tokens_generated=0,
        confidence=sure,
        level=LARGE.name,
        model="as planned",
        version="as planned",
        seconds={},
    )
