"""A day as it is lived: each question goes where whoever chooses sends it, and is told of, scored and offered.

Sense of context, cascade, verifier, salience and what the dialogue owes to the dreamer are the running system's own;
answers were computed beforehand. Deterministic: a day lived again from the same past comes out the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Protocol

from experiments.distillation.lived import VERIFIERS, offered
from experiments.reference.days import Day, Moment
from experiments.trust.answers import Asked, Said
from experiments.trust.lives import VERIFIER, replayed, scored
from experiments.trust.ours import generated
from experiments.trust.rivals import Rival
from experiments.trust.world import Met, World, cost
from nodes.context_classifier import config as context
from nodes.context_classifier.classifier import Classifier
from nodes.dialogue.cascade import Attempt, Decision
from nodes.dialogue.choice import Candidate
from nodes.dialogue.config import DialogueConfig
from nodes.trust_ledger.features import Query
from protocol.messages.context import Classified, Classify
from protocol.messages.dream import Keep
from protocol.messages.model import ChatMessage
from protocol.messages.trust import Outcome
from runtime.verifiers import judge


class Chooser(Rival, Protocol):
    def take_up(self, level: str, version: str, vouched: Outcome | None, number: int) -> None:
        """The level answers with another version from question `number` on."""


@dataclass(frozen=True)
class Answered:
    """One question: the levels that answered it in turn, the last of which stood."""

    path: tuple[int, ...]
    right: bool
    atp: float


@dataclass(frozen=True)
class Lived:
    answered: list[Answered]
    met: list[Met]
    kept: list[Keep]
    """What the dreamer is offered, in the order of the questions."""


class Living:
    """One who chooses, through the days. `number` counts questions over all of them."""

    def __init__(self, chooser: Chooser, costs: World, feedback: str, dialogue: DialogueConfig, seed: int) -> None:
        self.chooser = chooser
        self.number = 0
        self._costs = costs
        self._feedback = costs.feedback[feedback]
        self._levels = [Candidate(one.name, one.cost, one.accept_at) for one in dialogue.levels]
        self._classifier = Classifier(context.load())
        self._seed = seed

    def day(self, place: int, day: Day, said: Sequence[Sequence[Said]]) -> Lived:
        """Day `place`. `said`: what each level answers to its questions, least capable first."""
        lived = Lived([], [], [])
        for moment, answers in zip(day.moments, zip(*said, strict=True), strict=True):
            classified = self._sensed(place, moment)
            met = _met(moment, answers, classified)
            path = self.chooser.path(met, self.number)
            atp = sum(cost(self._costs, met.asked, level) for level in path)
            lived.met.append(met)
            lived.answered.append(Answered(tuple(path), answers[path[-1]].right, atp))
            told = scored(met, path, self._feedback, f"{self._seed}/{self.number}")
            self.chooser.told(met, path, told, self.number)
            lived.kept.append(self._offered(place, moment, met, path, classified))
            self.number += 1
        return lived

    def night(
        self, place: int, lived: Lived, said: Sequence[Sequence[Said]], versions: Mapping[str, str], count: int
    ) -> float:
        """Have `count` questions of the day go through all levels, as they answer them now; their ATP."""
        answers = list(zip(*said, strict=True))
        chosen = Random(f"night/{self._seed}/{place}").sample(range(len(answers)), min(count, len(answers)))
        verified = self._feedback.source == VERIFIER
        samples = [
            replayed(self._costs, _again(lived.met[at], answers[at]), verified=verified, versions=versions)
            for at in chosen
        ]
        self.chooser.night(samples)
        return sum(tried.atp for sample in samples for tried in sample.tried)

    def always(self, lived: Lived, level: int) -> float:
        """ATP of the day if the level had answered everything."""
        return sum(cost(self._costs, met.asked, level) for met in lived.met)

    def _sensed(self, place: int, moment: Moment) -> Classified:
        text = moment.question.messages[-1].content
        return self._classifier.classify(Classify(text=text, session=_session(place, moment)))

    def _offered(self, place: int, moment: Moment, met: Met, path: Sequence[int], classified: Classified) -> Keep:
        messages = [ChatMessage(role=one.role, content=one.content) for one in moment.question.messages]
        decided = [
            (self._attempt(messages, met.asked.said[level], level), Decision(level == path[-1], "")) for level in path
        ]
        return offered(
            f"question {self.number}", _session(place, moment), messages, classified, decided, self._classifier
        )

    def _attempt(self, messages: Sequence[ChatMessage], said: Said, level: int) -> Attempt:
        name, verdict = judge(VERIFIERS, messages, said.text) or ("", None)
        return Attempt(self._levels[level], generated(said, level), 0.0, name, verdict)


def _met(moment: Moment, said: Sequence[Said], classified: Classified) -> Met:
    question = moment.question
    text = question.messages[-1].content
    asked = Asked(
        row=f"{question.skill}/{question.difficulty}", text=text, turns=len(question.messages) // 2, said=tuple(said)
    )
    query = Query(
        context=str(classified.context),
        cluster=classified.cluster,
        words=len(text.split()),
        depth=asked.turns,
        session=classified.session,
    )
    return Met(asked, query)


def _again(met: Met, said: Sequence[Said]) -> Met:
    return Met(Asked(row=met.asked.row, text=met.asked.text, turns=met.asked.turns, said=tuple(said)), met.query)


def _session(place: int, moment: Moment) -> str:
    return f"day {place}, {moment.session}"
