"""The same answer is given again only to the same question, on the same grounds, by the same version."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from nodes.dialogue.cascade import Attempt, Decision
from nodes.dialogue.choice import Candidate
from nodes.dialogue.deliveries import Finished
from nodes.dialogue.grounds import Question
from nodes.dialogue.reality import answers, kept
from nodes.dialogue.reality.cache import Reality
from nodes.dialogue.reality.names import Names
from nodes.dialogue.reality.outcomes import Became
from protocol.messages.context import Classified, Context, Snarc
from protocol.messages.dialogue import Answer
from protocol.messages.dream import Adapter, AdapterCurrent
from protocol.messages.model import ChatMessage, Generated
from tests.unit.dialogue.reality.caches import open_cache


@pytest.fixture
def cache(tmp_path: Path) -> Iterator[Reality]:
    with closing(open_cache(tmp_path)) as made:
        yield made


def messages(*contents: str, system: str = "") -> tuple[ChatMessage, ...]:
    instruction = [ChatMessage(role="system", content=system)] if system else []
    said = [ChatMessage(role=("user", "assistant")[i % 2], content=text) for i, text in enumerate(contents)]
    return (*instruction, *said)


def question(*contents: str, **changes: object) -> Question:
    given = {"limit": 0, "session": "s", **changes}
    return Question(messages(*(contents or ("what is 2 plus 2",)), system=str(given.pop("system", ""))), **given)  # type: ignore[arg-type]


def finished(asked: Question, text: str = "it is 4 .", **changes: object) -> Finished:
    given: dict = {"confidence": 0.97, "version": "v1", "level": "sensory", "stop": "stop", "score": None, **changes}
    generated = Generated(
        text=text,
        ids=[1],
        stop_reason=given["stop"],
        tokens_reused=0,
        tokens_computed=5,
        tokens_generated=3,
        confidence=given["confidence"],
        level=given["level"],
        model="m",
        version=given["version"],
        adapter=str(given.get("adapter", "")),
        seconds={},
    )
    attempt = Attempt(Candidate(given["level"], 1.0, 0.9), generated, 0.1)
    answer = Answer(
        exchange=str(given.get("exchange", "e1")),
        session=asked.session,
        question=asked.text,
        text=text,
        answered_by=given["level"],
        why="",
        confidence=given["confidence"],
        score=given["score"],
        verifier="marker" if given["score"] is not None else "",
    )
    correction = given.get("correction")
    classified = (
        Classified(session="s", context=Context.UNSTABLE, confidence=1, cluster=0, snarc=Snarc(), correction=correction)
        if correction is not None
        else None
    )
    return Finished(answer, list(asked.messages), [(attempt, Decision(True, ""))], attempt, classified, 0.0)


def told(cache: Reality, asked: Question, **changes: object) -> Became | None:
    return answers.remember(cache, asked, finished(asked, **changes), 0)


def again(cache: Reality, asked: Question) -> str:
    return answers.recall(cache, asked, 0).text


def test_an_accepted_answer_is_given_again_in_any_new_conversation(cache: Reality) -> None:
    assert told(cache, question()) is Became.NEW
    recalled = answers.recall(cache, question(session="another"), 0)
    assert (recalled.text, recalled.level, recalled.rests_on) == ("it is 4 .", "sensory", ("model/sensory",))
    assert recalled.holds
    assert "1970-01-01T00:00:00+00:00; it rests on model/sensory" in recalled.grounds


@pytest.mark.parametrize(
    "other",
    [
        question("what is 2 minus 2"),
        question("What is 2 plus 2"),
        question("what is 2 plus 2", limit=3),
        question("what is 2 plus 2", system="answer in french"),
        question("the cup is here", "ok .", "what is 2 plus 2"),
        question("what is 2 plus 2", only="specialized"),
    ],
)
def test_any_other_ground_is_another_question(cache: Reality, other: Question) -> None:
    told(cache, question())
    assert not answers.recall(cache, other, 0).holds


def test_what_was_said_before_is_part_of_the_question(cache: Reality) -> None:
    here = question("the cup is in the hall", "ok .", "where is the cup")
    told(cache, here, text="in the hall .")
    assert again(cache, question("the cup is in the hall", "ok .", "where is the cup", session="t")) == "in the hall ."
    assert again(cache, question("the cup is in the den", "ok .", "where is the cup")) == ""
    kept = cache.shelf.row(answers.key(cache, here))
    assert kept is not None
    assert kept.level == "context"


@pytest.mark.parametrize(
    ("changes", "accepted"),
    [
        ({}, True),
        ({"confidence": 0.92}, False),
        ({"confidence": 0.2, "score": 1.0}, True),
        ({"confidence": 0.99, "score": 0.9}, False),
        ({"confidence": 0.99, "score": 0.0}, False),
        ({"stop": "length"}, False),
        ({"stop": "deadline"}, False),
        ({"text": "  "}, False),
    ],
)
def test_only_accepted_answers_are_taken_for_given(cache: Reality, changes: dict, accepted: bool) -> None:
    told(cache, question(), **changes)
    assert bool(again(cache, question())) is accepted


def test_one_that_had_to_be_fresh_or_saw_less_than_all_is_not_taken_for_given(cache: Reality) -> None:
    assert told(cache, question(fresh=True)) is None
    shortened = finished(question("a", "b", "what is 2 plus 2"))
    left_out = replace(shortened, messages=shortened.messages[2:])
    assert answers.remember(cache, question("a", "b", "what is 2 plus 2"), left_out, 0) is None


def test_another_version_breaks_what_the_one_before_said_and_only_that(cache: Reality) -> None:
    told(cache, question())
    told(cache, question("other"), level="tactical")
    told(cache, question("third"), version="v2")
    assert again(cache, question()) == ""
    assert "broken" in answers.recall(cache, question(), 0).why
    assert again(cache, question("other")) == again(cache, question("third")) == "it is 4 ."


def test_a_promoted_adapter_breaks_it_before_the_new_version_has_said_anything(cache: Reality) -> None:
    levels = ["sensory", "tactical"]
    answers.learn_adapters(cache, levels, AdapterCurrent(adapters=[]), 0)
    told(cache, question())
    answers.learn_adapters(cache, levels, AdapterCurrent(adapters=[]), 0)
    assert again(cache, question())
    promoted = AdapterCurrent(adapters=[Adapter(level="sensory", digest="d")])
    answers.learn_adapters(cache, levels, promoted, 0)
    assert again(cache, question()) == ""
    assert told(cache, question("begun before")) is None, "it had the old weights"
    assert told(cache, question("first"), version="v2", adapter="d") is None, "its version was not known until then"
    told(cache, question(), version="v2", adapter="d")
    assert again(cache, question())


def test_of_several_answers_begun_before_a_promotion_none_brings_the_old_version_back(cache: Reality) -> None:
    levels = ["sensory", "tactical"]
    answers.learn_adapters(cache, levels, AdapterCurrent(adapters=[Adapter(level="sensory", digest="d1")]), 0)
    told(cache, question(), version="v1+d1", adapter="d1")
    answers.learn_adapters(cache, levels, AdapterCurrent(adapters=[Adapter(level="sensory", digest="d2")]), 0)
    for text in ("one", "two"):
        assert told(cache, question(text), version="v1+d1", adapter="d1") is None
        answers.learn_version(cache, "sensory", "v1+d1", 0)  # so says a worker that was started anew
        assert "broken" in answers.recall(cache, question(), 0).why
    for text in ("three", "four"):
        told(cache, question(text), version="v1+d2", adapter="d2")
    assert again(cache, question("four"))
    assert told(cache, question("five"), version="v1+d1", adapter="d1") is None
    assert again(cache, question("four")), "a straggler breaks nothing of the new version"


def test_an_answer_of_other_weights_than_expected_teaches_nothing_of_a_version_nobody_knows(cache: Reality) -> None:
    answers.learn_adapters(cache, ["sensory"], AdapterCurrent(adapters=[Adapter(level="sensory", digest="d")]), 0)
    done = finished(question(), adapter="old")
    assert answers.remember(cache, question(), done, 0) is None
    kept.take_in(cache, done, 0)
    assert cache.shelf.row("model/sensory") is None
    assert cache.broken("prefix") == []


def test_adapters_heard_of_for_the_first_time_leave_versions_to_be_asked(cache: Reality) -> None:
    told(cache, question())
    answers.learn_adapters(cache, ["sensory"], AdapterCurrent(adapters=[]), 0)
    assert "doubted" in answers.recall(cache, question(), 0).why
    answers.learn_version(cache, "sensory", "v1", 0)
    assert again(cache, question())


def test_what_somebody_found_wrong_is_not_believed_again_until_a_verifier_says_so(cache: Reality) -> None:
    told(cache, question(), exchange="e1")
    cache.answered("e2", answers.key(cache, question()))
    observed = answers.judged(cache, "e2", 0.0, "user", 0)
    assert observed is not None
    assert observed.standing == "broken"
    assert told(cache, question()) is Became.REFUSED
    assert again(cache, question()) == ""
    assert told(cache, question(), score=1.0) is Became.VERIFIED
    assert again(cache, question())
    assert answers.judged(cache, "never", 0.0, "user", 0) is None


def test_praise_makes_an_answer_surer(cache: Reality) -> None:
    told(cache, question(), confidence=0.94)
    answers.judged(cache, "e1", 1.0, "user", 0)
    assert answers.recall(cache, question(), 0).confidence == 0.99


def test_a_next_turn_that_corrects_has_the_answer_prove_itself_anew(cache: Reality) -> None:
    told(cache, question())
    told(cache, question("what is 2 plus 2", "it is 4 .", "no , that is wrong"), text="sorry .", correction=0.9)
    assert "less than 0.93" in answers.recall(cache, question(), 0).why
    assert told(cache, question()) is Became.VERIFIED
    assert again(cache, question())


def test_a_no_to_a_question_is_no_correction(cache: Reality) -> None:
    told(cache, question(), text="in words ?")
    told(cache, question("what is 2 plus 2", "in words ?", "no"), text="it is 4 .", correction=0.9)
    assert again(cache, question()) == "in words ?"


def test_a_verifier_that_finds_wrong_what_is_held_refutes_it(cache: Reality) -> None:
    told(cache, question(), text="it is 5 .")
    told(cache, question(fresh=True), text="it is 4 .", score=0.0)
    assert again(cache, question()) == "it is 5 .", "another text was judged"
    told(cache, question(fresh=True), text="it is 5 .", score=0.0)
    assert again(cache, question()) == ""
    assert told(cache, question(), text="it is 5 .") is Became.REFUSED


def test_nothing_that_was_said_shows_in_a_key(cache: Reality) -> None:
    asked = question("where is the secret cup")
    told(cache, asked)
    (row,) = [row for row in cache.shelf.listed("", 10) if row.key.startswith("answer/")]
    assert len(row.key) == len("answer/") + 32
    assert row.owner not in ("", "s")
    assert Names(b"another host").question(asked.messages, 0) != cache.names.question(asked.messages, 0)
