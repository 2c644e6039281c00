"""Our own choice in the experiment: the shipped modules and the shipped configuration, wired without processes.

`nodes.dialogue.choice` chooses, `nodes.dialogue.cascade` lets an answer stand or hands it on,
`nodes.trust_ledger.table` learns, `nodes.dialogue.replaying` tunes by night. Nothing of them is repeated here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random

import msgspec

from experiments.trust.answers import Said
from experiments.trust.rivals import LEVELS
from experiments.trust.world import Met, World, cost
from nodes.dialogue import cascade
from nodes.dialogue.calibration import Calibration
from nodes.dialogue.cascade import Attempt
from nodes.dialogue.choice import NO_TABLE, Candidate, Choice, Situation, choose, price
from nodes.dialogue.config import DialogueConfig
from nodes.dialogue.deliveries import judged
from nodes.dialogue.replaying import Sample, learn, outcomes
from nodes.dialogue.tuning import Tuning
from nodes.model_worker.confidence import confidence_of
from nodes.trust_ledger.config import TrustConfig
from nodes.trust_ledger.table import Arms, fold, table
from protocol.messages.model import Generated
from protocol.messages.trust import Outcome, TrustTable

PUBLISHED_EVERY = 10
"""Exchanges between two tables; the ledger says one five times a second."""
SECONDS = 30.0
"""Between two exchanges."""
USER = "user"
KEPT = 2000
"""Replayed questions that are kept."""


@dataclass
class Ours:
    """`learns`, `replays`, `hands_on`: what is left out of it, to see what it is worth."""

    world: World
    dialogue: DialogueConfig
    trust: TrustConfig
    random: Random
    learns: bool = True
    replays: bool = True
    hands_on: bool = True
    device: str = ""
    arms: Arms = field(default_factory=dict)
    known: TrustTable = NO_TABLE
    samples: list[Sample] = field(default_factory=list)
    tunings: list[Tuning] = field(default_factory=list)
    calibrations: dict[str, Calibration] = field(default_factory=dict)
    """By version."""
    versions: dict[str, str] = field(default_factory=lambda: {level: level for level in LEVELS})
    """Level → what it answers with now."""
    why: str = ""
    _entries: int = 0

    @property
    def tuned(self) -> Tuning | None:
        return self.tunings[-1] if self.tunings else None

    def price_now(self) -> float:
        return price(self._situation(None, 1.0), self.dialogue.choice)

    def path(self, met: Met, number: int) -> list[int]:
        situation = self._situation(met, self.random.random())
        chosen = choose(self._levels(), situation, self.dialogue.choice)
        self.why = chosen.why
        path = [LEVELS.index(chosen.level)]
        while True:
            attempt = self._attempt(met, path[-1])
            following = self._following(path[-1], chosen) if self.hands_on else None
            stands_at = chosen.stands_at.get(LEVELS[path[-1]])
            decision = cascade.judge(attempt, following, asked_for=False, time_left=True, stands_at=stands_at)
            if decision.accept:
                return path
            assert following is not None
            path.append(LEVELS.index(following.name))

    def told(self, met: Met, path: Sequence[int], scored: Sequence[tuple[float, str] | None], number: int) -> None:
        """The ledger hears of every attempt; where nobody judged, what the system itself makes of it."""
        if not self.learns:
            return
        for level, score in zip(path, scored, strict=True):
            if score is None or score[1] == USER:  # a person's judgement comes later, and is learned from as well
                self._learn(self._outcome(met, level, *self._judged(met, level, path)), number)
            if score is not None:
                self._learn(self._outcome(met, level, *score), number)
        if number % PUBLISHED_EVERY == 0:
            self._publish(number)

    def night(self, samples: Sequence[Sample]) -> None:
        if not self.replays:
            return
        alarmed = tuple(model.level for model in self.known.models if model.alarm)
        told = [msgspec.structs.replace(sample, alarmed=alarmed) for sample in samples]
        self.samples = [*self.samples, *told][-KEPT:]
        number = self._entries
        for sample in samples:
            for outcome in outcomes(sample):
                self._learn(outcome, number)
        self._publish(number)
        lesson = learn(self.samples, self.trust, self.dialogue.choice, 0)
        assert lesson.tuning is not None
        if lesson.tuning.questions < self.dialogue.choice.tuning.fewest:
            return  # what was found before stays in force
        self.tunings.append(lesson.tuning)
        self.calibrations |= lesson.calibrations

    def take_up(self, level: str, version: str, vouched: Outcome | None, number: int) -> None:
        """The level answers with another version from now on; `vouched`: what is known of it already."""
        self.versions[level] = version
        if vouched is not None and self.learns:
            self._learn(vouched, number)
            self._publish(number)

    def _situation(self, met: Met | None, draw: float) -> Situation:
        tuned = self.tuned
        return Situation(
            context=met.query.context if met else "stable",
            trust=self.trust,
            table=self.known,
            versions=self.versions,
            query=met.query if met else None,
            draw=draw,
            tuned=tuned.price if tuned else None,
            proved=tuned is None or tuned.price is not None,
        )

    def _levels(self) -> list[Candidate]:
        return [Candidate(level.name, level.cost, level.accept_at) for level in self.dialogue.levels]

    def _following(self, level: int, chosen: Choice) -> Candidate | None:
        """As `nodes.dialogue.turn` has it: the next larger level, one in alarm only where there is no other."""
        larger = self._levels()[level + 1 :]
        relied = [one for one in larger if one.name not in chosen.passed_over]
        return next(iter(relied or larger), None)

    def _attempt(self, met: Met, level: int) -> Attempt:
        said = met.asked.said[level]
        calibration = self.calibrations.get(self.versions[LEVELS[level]])
        return Attempt(
            self._levels()[level],
            generated(said, level),
            0.0,
            calibrated=calibration.confidence(said.signs) if calibration else None,
        )

    def _judged(self, met: Met, level: int, path: Sequence[int]) -> tuple[float, str]:
        return judged(self._attempt(met, level), self._attempt(met, path[-1]))

    def _outcome(self, met: Met, level: int, score: float, source: str) -> Outcome:
        query = met.query
        return Outcome(
            exchange="",
            session=query.session,
            level=LEVELS[level],
            model="",
            version=self.versions[LEVELS[level]],
            context=query.context,
            score=score,
            source=source,
            atp=cost(self.world, met.asked, level, self.device),
            cluster=query.cluster,
            words=query.words,
            depth=query.depth,
        )

    def _learn(self, outcome: Outcome, number: int) -> None:
        self.arms = fold(self.arms, outcome, number * SECONDS, self.trust)
        self._entries = max(self._entries, number)

    def _publish(self, number: int) -> None:
        self.known = table(self.arms, number, number * SECONDS, self.trust)


def generated(said: Said, level: int) -> Generated:
    """The answer as the worker would have reported it."""
    return Generated(
        text=said.text,
        ids=[],
        stop_reason="stop",
        tokens_reused=0,
        tokens_computed=said.tokens_in,
        tokens_generated=said.signs.tokens,
        confidence=confidence_of(said.signs.mean, said.signs.least),
        level=LEVELS[level],
        model="",
        version=LEVELS[level],
        seconds={},
        reply_nll=-said.signs.mean,
        reply_peak=-said.signs.least,
        least_margin=said.signs.margin,
    )
