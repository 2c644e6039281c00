"""A day as it was lived: every question answered and scored as the running system does it, without its processes.

The student answers first; where it is not sure enough, the teacher goes on. Sense of context, salience, cascade,
verifier and what the dialogue owes to the dreamer are the running system's own. Answers are computed many at a time;
how unlikely the questions were to the student is therefore not known, only how unlikely its answers were.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence

import msgspec

from experiments.distillation.world import World
from experiments.reference.days import Day, Moment
from experiments.reference.family import SIZES
from experiments.reference.verifiers import CurriculumVerifier
from experiments.trust.answers import Said, answers
from nodes.context_classifier import config as context
from nodes.context_classifier.classifier import Classifier
from nodes.dialogue import cascade, config, deliveries
from nodes.dialogue.cascade import Attempt, Decision
from nodes.dialogue.choice import Candidate
from nodes.dialogue.deliveries import Finished
from nodes.model_worker.confidence import confidence_of
from protocol.messages.context import Classified, Classify, ScoreExchange
from protocol.messages.dialogue import Answer
from protocol.messages.dream import Keep
from protocol.messages.model import ChatMessage, Generated
from runtime.paths import cache_dir, write_atomically
from runtime.verifiers import judge

CACHE = "experiment-distillation"
VERIFIERS = [CurriculumVerifier()]


def lived(world: World, day: Day, report: Callable[[str], None]) -> list[Keep]:
    """What the dreamer is offered of the day, from the cache or lived anew."""
    path = cache_dir(CACHE) / f"day-{_digest(world, day)[:16]}.msgpack"
    if path.exists():
        return msgspec.msgpack.decode(path.read_bytes(), type=list[Keep])
    asked = [moment.question for moment in day.moments]
    folders = (SIZES[size].folder for size in (world.student, world.teacher))
    said = zip(*(answers(folder, asked, report) for folder in folders), strict=True)
    life = Life(world)
    kept = [
        life.live(number, moment, both) for number, (moment, both) in enumerate(zip(day.moments, said, strict=True))
    ]
    write_atomically(path, msgspec.msgpack.encode(kept))
    return kept


def righted(keep: Keep, teacher: str) -> Keep:
    """The exchange with the right answer, as if the teacher had given it; one that the student had right stays."""
    found = judge(VERIFIERS, keep.messages, keep.answer)
    if found is None or (keep.level != teacher and found[1].score == 1.0):
        return keep
    return msgspec.structs.replace(
        keep, answer=found[1].expected, level=teacher, score=1.0, verifier=found[0], confidence=1.0
    )


class Life:
    """The parts of the running system that a day goes through."""

    def __init__(self, world: World) -> None:
        shipped = {one.name: one for one in config.load().levels}
        small, large = (shipped[name] for name in (world.student, world.teacher))
        self._levels = [Candidate(one.name, one.cost, one.accept_at) for one in (small, large)]
        self._classifier = Classifier(context.load())

    def live(self, number: int, moment: Moment, said: Sequence[Said]) -> Keep:
        """One exchange, as it is offered to the dreamer. `said`: what student and teacher say."""
        messages = [ChatMessage(role=one.role, content=one.content) for one in moment.question.messages]
        text = messages[-1].content
        classified = self._classifier.classify(Classify(text=text, session=moment.session))
        decided = self._answered(messages, said)
        return offered(f"exchange {number}", moment.session, messages, classified, decided, self._classifier)

    def _answered(self, messages: Sequence[ChatMessage], said: Sequence[Said]) -> list[tuple[Attempt, Decision]]:
        decided: list[tuple[Attempt, Decision]] = []
        for place, (level, one) in enumerate(zip(self._levels, said, strict=True)):
            found = judge(VERIFIERS, messages, one.text)
            name, verdict = found or ("", None)
            attempt = Attempt(level, _generated(level.name, one), 0.0, name, verdict)
            following = self._levels[place + 1] if place + 1 < len(self._levels) else None
            decision = cascade.judge(attempt, following, asked_for=False, time_left=True)
            decided.append((attempt, decision))
            if decision.accept:
                break
        return decided


def offered(
    exchange: str,
    session: str,
    messages: Sequence[ChatMessage],
    classified: Classified,
    decided: Sequence[tuple[Attempt, Decision]],
    classifier: Classifier,
) -> Keep:
    """What the dialogue owes the dreamer of an answered exchange, with the salience that the classifier gives it."""
    lesson = None
    for owed in deliveries.deliveries(_finished(exchange, session, messages, classified, decided)):
        if isinstance(owed.request, ScoreExchange):
            scored, _ = classifier.score(owed.request)
            lesson = deliveries.following(owed, scored)
    assert lesson is not None, "every answered exchange is offered"
    return lesson.request  # type: ignore[no-any-return]


def _generated(level: str, said: Said) -> Generated:
    return Generated(
        text=said.text,
        ids=[],
        stop_reason="stop",
        tokens_reused=0,
        tokens_computed=said.tokens_in,
        tokens_generated=said.signs.tokens,
        confidence=confidence_of(said.signs.mean, said.signs.least),
        level=level,
        model=level,
        version=level,
        seconds={},
        reply_nll=-said.signs.mean,
        reply_peak=-said.signs.least,
        least_margin=said.signs.margin,
    )


def _finished(
    exchange: str,
    session: str,
    messages: Sequence[ChatMessage],
    classified: Classified,
    decided: Sequence[tuple[Attempt, Decision]],
) -> Finished:
    chosen, decision = decided[-1]
    answer = Answer(
        exchange=exchange,
        session=session,
        question=messages[-1].content,
        text=chosen.generated.text.strip(),
        answered_by=chosen.level.name,
        why=decision.why,
        context=classified.context,
        snarc=classified.snarc,
        confidence=chosen.generated.confidence,
        score=chosen.verdict.score if chosen.verdict else None,
        verifier=chosen.verifier,
    )
    return Finished(answer, messages, decided, chosen, classified, 0.0)


def _digest(world: World, day: Day) -> str:
    """What a lived day follows from: its questions, who answered, and how salience is weighed."""
    whole = hashlib.sha256(day.digest.encode())
    for size in (world.student, world.teacher):
        whole.update((SIZES[size].folder / "model.safetensors").read_bytes())
    whole.update(msgspec.json.encode(context.load()))
    whole.update(repr((world.student, world.teacher, Keep.__struct_fields__)).encode())
    return whole.hexdigest()
