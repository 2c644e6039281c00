"""Answers given before, as assumptions: to the same question on the same grounds the same answer is given again.

The grounds are everything the answer depended on: all that the model was given (instruction, what was said before, the
question, to the letter), the longest answer allowed, and the version of the level that gave it. The first are digested
into the key; in a new conversation the same question has the same grounds. The version is an assumption of its own, on
which the answer rests: another version, such as one that a dream has promoted, breaks all that the one before it said.
Levels are asked greedily here, so the same grounds always gave the same answer.
"""

from __future__ import annotations

from collections.abc import Sequence

from nodes.dialogue import cascade
from nodes.dialogue.cascade import Attempt
from nodes.dialogue.deliveries import Finished
from nodes.dialogue.grounds import Question, Recalled
from nodes.dialogue.hindsight import SURE
from nodes.dialogue.reality.assumption import Assumption, Evidence, Level, Standing
from nodes.dialogue.reality.cache import Reality
from nodes.dialogue.reality.outcomes import Became, Found, Observed
from protocol.messages.dialogue import Answer
from protocol.messages.dream import AdapterCurrent

RIGHT = 0.99
"""Score of a verifier from which an answer counts as right."""
WRONG = 0.5
"""Score under which it counts as wrong."""


def recall(reality: Reality, question: Question, now_ns: int) -> Recalled:
    """The answer given before, if it holds."""
    checked = reality.check(key(reality, question), now_ns)
    known = checked.assumption
    if known is None:
        return Recalled(why="none" if checked.found is Found.UNKNOWN else checked.why)
    level = next((each.partition("/")[2] for each in known.rests_on if each.startswith("model/")), "")
    if question.only and level != question.only:
        return Recalled(why=f"{level} gave it, only {question.only} may")
    return Recalled(
        text=str(known.value),
        level=level,
        confidence=checked.confidence,
        verified_ns=known.verified_ns,
        rests_on=known.rests_on,
    )


def remember(reality: Reality, question: Question, finished: Finished, now_ns: int) -> Became | None:
    """Take an answer for given, if it was accepted; None where it was not. What it shows of others is taken in too."""
    chosen, answer = finished.chosen, finished.answer
    if chosen is None:
        return None
    settled = _settled(reality, chosen.level.name) and not outdated(reality, chosen)
    for attempt, _ in finished.attempts:
        if not outdated(reality, attempt):
            learn_version(reality, attempt.level.name, attempt.generated.version, now_ns, answered=True)
    _doubt_what_was_corrected(reality, question, finished, now_ns)
    name, verified = key(reality, question), answer.score is not None and answer.score >= RIGHT
    if answer.score is not None and answer.score < WRONG:
        _refute(reality, name, answer, now_ns)
    if question.fresh or not settled or not _accepted(reality, question, finished, chosen):
        return None
    found_right = f", found right by {answer.verifier}" if verified else ""
    held = reality.hold(
        Assumption(
            key=name,
            level=_level(question),
            statement=f"{chosen.level.name} said {answer.text!r} to {question.text!r}{found_right}",
            value=answer.text,
            confidence=1.0 if verified else answer.confidence,
            rests_on=(model_key(chosen.level.name),),
            subject=question.text,
            owner=reality.names.conversation(question.session),
        ),
        now_ns,
        verified=verified,
    )
    if held.became is not Became.REFUSED:
        reality.answered(answer.exchange, name)
    return held.became


def _accepted(reality: Reality, question: Question, finished: Finished, chosen: Attempt) -> bool:
    """Whole, to the whole question, and right as a verifier found; where none knows it, confident beyond the bars."""
    answer = finished.answer
    if tuple(finished.messages) != question.messages or cascade.cut(chosen) or not answer.text.strip():
        return False
    if answer.score is not None:
        return answer.score >= RIGHT
    return answer.confidence >= max(reality.config.levels[_level(question)].bar, chosen.level.accept_at)


def _refute(reality: Reality, name: str, answer: Answer, now_ns: int) -> None:
    """A verifier found it wrong: should the same be held, it is no longer."""
    known = reality.opened(reality.shelf.row(name))
    if known is not None and reality.names.value(known.value) == reality.names.value(answer.text):
        reality.observe(name, Evidence(distance=1.0, by=answer.verifier, refutes=True), now_ns)


def judged(reality: Reality, exchange: str, right: float, by: str, now_ns: int) -> Observed | None:
    """Somebody says how right (0..1) the answer of an exchange was; None where nothing is assumed of that."""
    name = reality.shelf.answer_of(exchange)
    if not name:
        return None
    return reality.observe(name, Evidence(distance=1.0 - right, by=by, refutes=right < WRONG), now_ns)


# The versions that answers rest on


def learn_version(reality: Reality, level: str, version: str, now_ns: int, *, answered: bool = False) -> None:
    """The level answers as this version. If it was another, whatever that one said is broken.

    `answered`: with the weights that it should answer with. A worker that only says so may not have taken them up yet,
    so the version that was broken by them is not believed again for that.
    """
    adapter, known = adapter_key(level), reality.opened(reality.shelf.row(model_key(level)))
    if reality.stands(model_key(level), version):
        return
    if known is not None and known.standing is Standing.BROKEN and known.value == version and not answered:
        return
    reality.hold(
        Assumption(
            key=model_key(level),
            level=Level.ENVIRONMENT,
            statement=f"{level} answers as version {version}",
            value=version,
            confidence=1.0,
            rests_on=(adapter,) if reality.shelf.row(adapter) is not None else (),
        ),
        now_ns,
    )


def outdated(reality: Reality, attempt: Attempt) -> bool:
    """Whether it was made with other weights than its level should answer with, as one begun before a promotion is."""
    known = reality.opened(reality.shelf.row(adapter_key(attempt.level.name)))
    return known is not None and known.value != attempt.generated.adapter


def learn_adapters(reality: Reality, levels: Sequence[str], current: AdapterCurrent, now_ns: int) -> None:
    """What every level should answer with. Another than before breaks the version, and what that said."""
    digests = {adapter.level: adapter.digest for adapter in current.adapters}
    for level in levels:
        digest = digests.get(level, "")
        held = reality.hold(
            Assumption(
                key=adapter_key(level),
                level=Level.ENVIRONMENT,
                statement=f"{level} answers with {f'adapter {digest}' if digest else 'its own weights'}",
                value=digest,
                confidence=1.0,
            ),
            now_ns,
        )
        if held.became is Became.NEW:
            reality.doubt(model_key(level), "it is not known with which weights it answered")


def key(reality: Reality, question: Question) -> str:
    return f"answer/{reality.names.question(question.messages, question.limit)}"


def model_key(level: str) -> str:
    return f"model/{level}"


def adapter_key(level: str) -> str:
    return f"adapter/{level}"


def _settled(reality: Reality, level: str) -> bool:
    """Whether no change of its weights is under way: an answer begun before that would pass for one of the new."""
    row = reality.shelf.row(model_key(level))
    return row is None or row.standing is not Standing.BROKEN


def _level(question: Question) -> Level:
    """What was said before is part of what the answer depends on; otherwise it holds whoever asks."""
    return Level.ABSTRACT if question.alone else Level.CONTEXT


def _doubt_what_was_corrected(reality: Reality, question: Question, finished: Finished, now_ns: int) -> None:
    """A next turn that corrects what was said before shakes the answer before it.

    That it does is itself a guess, so the answer is not refuted; it has to prove itself anew.
    """
    classified = finished.classified
    if classified is None or classified.correction < SURE or question.alone:
        return
    if question.messages[-2].content.rstrip().endswith("?"):  # a "no" to what asks is no correction
        return
    before = Question(question.messages[:-2], question.limit, question.session)
    name = key(reality, before)
    if reality.shelf.row(name) is not None:
        reality.observe(name, Evidence(distance=1.0, reliability=classified.correction, by="the next turn"), now_ns)
