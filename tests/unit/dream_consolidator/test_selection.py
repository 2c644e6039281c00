from __future__ import annotations

from collections import Counter
from random import Random

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodes.dream_consolidator import settings as configuration
from nodes.dream_consolidator.collector.examples import Example
from nodes.dream_consolidator.selection.select import (
    Material,
    best_of_each_question,
    inclusion,
    select,
    shares,
    side,
    systematic,
    without_judging_turns,
)
from protocol.messages.model import ChatMessage

SETTINGS = configuration.load().select
SECRET = b"k" * 32
LEVELS = ["sensory", "tactical", "specialized"]


def said(role: str, content: str) -> ChatMessage:
    return ChatMessage(role=role, content=content)


def example(question: str, **changes: object) -> Example:
    told = {
        "exchange": f"x/{question}",
        "messages": (said("user", question),),
        "answer": f"answer to {question}",
        "level": "sensory",
        "version": "v",
        "context": "novel",
        "cluster": 0,
        "salience": 0.6,
        "score": 0.0,
        "verifier": "",
        "confidence": 0.5,
        "received_ns": 0,
        **changes,
    }
    return Example(**told)


def chosen(examples: list[Example], *, seed: int = 0, **changes: object) -> Material:
    settings = msgspec.structs.replace(SETTINGS, **changes)
    return select(examples, student="sensory", levels=LEVELS, settings=settings, secret=SECRET, random=Random(seed))


def questions_on(wanted: str, count: int) -> list[str]:
    every = (f"question {number}" for number in range(10_000))
    return [question for question in every if side(question, SETTINGS, SECRET) == wanted][:count]


def test_every_question_falls_on_one_side_whatever_its_case_and_punctuation() -> None:
    sides = Counter(side(f"question {number}", SETTINGS, SECRET) for number in range(2000))
    assert sides["held_out"] == pytest.approx(2000 * SETTINGS.held_out, rel=0.15)
    assert sides["development"] == pytest.approx(2000 * SETTINGS.development, rel=0.3)
    for number in range(50):
        assert side(f"question {number}", SETTINGS, SECRET) == side(f" Question, {number}?! ", SETTINGS, SECRET)


def test_what_judges_is_never_a_lesson_nor_in_the_context_of_one() -> None:
    judging = questions_on("held_out", 20)
    learned = questions_on("train", 20)
    mixed = [
        example(
            question,
            messages=(
                said("system", "be brief"),
                said("user", earlier),
                said("assistant", "yes"),
                said("user", "and then"),
                said("assistant", "no"),
                said("user", question),
            ),
        )
        for earlier, question in zip(judging, learned, strict=True)
    ]
    material = chosen([*(example(question) for question in judging), *mixed])
    seen = {message.content for lesson in (*material.lessons, *material.development) for message in lesson.messages}
    assert len(material.lessons) == 20
    assert len(material.held_out) >= 20
    assert not seen & {question.messages[-1].content for question in material.held_out}


def test_a_conversation_is_cut_behind_what_judges_and_its_answer_is_asked_anew() -> None:
    (judging,), (learned,) = questions_on("held_out", 1), questions_on("train", 1)
    messages = (said("system", "s"), said("user", judging), said("assistant", "a"), said("user", learned))
    cut = without_judging_turns(messages, SETTINGS, SECRET)
    assert cut == (said("system", "s"), said("user", learned))
    (lesson,) = chosen([example(learned, messages=messages, level="tactical", score=1.0)]).lessons
    assert (lesson.answer, lesson.source, lesson.verified) == ("", "teacher", False)


@pytest.mark.parametrize(
    ("level", "score", "confidence", "answer", "source", "verified"),
    [
        ("tactical", 1.0, 0.1, True, "teacher", True),
        ("specialized", None, 0.95, True, "teacher", False),
        ("specialized", None, 0.5, False, "teacher", False),
        ("tactical", 0.0, 0.99, False, "teacher", False),
        ("sensory", 1.0, 0.1, True, "self", True),
        ("sensory", None, 0.99, False, "teacher", False),
        ("sensory", 0.0, 0.99, False, "teacher", False),
        ("unknown", 1.0, 0.99, False, "teacher", False),
    ],
)
def test_only_trusted_answers_teach_and_only_mastered_ones_are_rehearsed(
    level: str, score: float | None, confidence: float, answer: bool, source: str, verified: bool
) -> None:
    (question,) = questions_on("train", 1)
    (lesson,) = chosen([example(question, level=level, score=score, confidence=confidence)]).lessons
    assert (bool(lesson.answer), lesson.source, lesson.verified) == (answer, source, verified)


def test_of_several_answers_to_a_question_the_best_judged_then_the_largest_then_the_latest_counts() -> None:
    rank = {level: index for index, level in enumerate(LEVELS)}
    answers = [
        example("q", exchange="wrong", level="specialized", score=0.0),
        example("q", exchange="unjudged", level="specialized", score=None),
        example("q", exchange="right, small", level="sensory", score=1.0),
        example("q", exchange="right, early", level="tactical", score=1.0, received_ns=1),
        example("q", exchange="right, late", level="tactical", score=1.0, received_ns=2),
    ]
    while answers:
        (best,) = best_of_each_question(answers, rank, SECRET)
        assert best.exchange == answers.pop().exchange


def test_strata_share_the_places_however_salient_one_of_them_is() -> None:
    loud = [example(question, salience=1.0, cluster=1) for question in questions_on("train", 300)[:200]]
    faint = [example(question, salience=0.01, cluster=2) for question in questions_on("train", 300)[200:230]]
    material = chosen(loud + faint, lessons=100, rehearsal=0.0)
    assert Counter(lesson.stratum for lesson in material.lessons) == {"novel/1": 70, "novel/2": 30}


def test_rehearsal_takes_no_more_than_its_share() -> None:
    questions = questions_on("train", 400)
    known = [example(question, score=1.0) for question in questions[:200]]
    new = [example(question) for question in questions[200:]]
    material = chosen(known + new, lessons=100, rehearsal=0.3)
    assert Counter(lesson.source for lesson in material.lessons) == {"teacher": 70, "self": 30}
    assert material.taught == 70


def test_salient_examples_are_drawn_more_often_and_weigh_less() -> None:
    questions = questions_on("train", 100)
    examples = [example(question, salience=0.9 if number % 2 else 0.1) for number, question in enumerate(questions)]
    salient = {f"x/{question}" for question in questions[1::2]}
    material = chosen(examples, lessons=40, rehearsal=0.0)
    heavy = {lesson.weight for lesson in material.lessons if lesson.ident not in salient}
    light = {lesson.weight for lesson in material.lessons if lesson.ident in salient}
    assert sum(lesson.ident in salient for lesson in material.lessons) > 25
    assert min(heavy) / max(light) == pytest.approx(9**0.6)
    assert sum(lesson.weight for lesson in material.lessons) == pytest.approx(len(material.lessons))


def test_without_a_shortage_everything_is_taken_and_weighs_the_same() -> None:
    material = chosen([example(question, salience=0.3) for question in questions_on("train", 20)])
    assert [lesson.weight for lesson in material.lessons] == [1.0] * 20


def test_what_judges_is_drawn_without_regard_to_salience() -> None:
    questions = questions_on("held_out", 100)
    dull = chosen([example(question, salience=0.0) for question in questions], judged=30)
    loud = chosen([example(question, salience=number / 100) for number, question in enumerate(questions)], judged=30)
    assert [each.ident for each in dull.held_out] == [each.ident for each in loud.held_out]
    assert len(dull.held_out) == 30


@given(st.dictionaries(st.text(max_size=3), st.integers(1, 50), max_size=6), st.integers(0, 200))
def test_shares_give_out_all_places_that_can_be_filled_evenly(sizes: dict[str, int], places: int) -> None:
    given_out = shares(sizes, places)
    assert sum(given_out.values()) == min(places, sum(sizes.values()))
    unfilled = [count for name, count in given_out.items() if count < sizes[name]]
    assert not unfilled or max(unfilled) - min(unfilled) <= 1
    assert all(count <= sizes[name] for name, count in given_out.items())
    assert not unfilled or all(count <= max(unfilled) + 1 for count in given_out.values())


@given(st.lists(st.floats(0.01, 1.0), min_size=1, max_size=60), st.data())
def test_systematic_drawing_takes_exactly_as_many_as_asked(sizes: list[float], data: st.DataObject) -> None:
    places = data.draw(st.integers(0, len(sizes)))
    start = data.draw(st.floats(0.001, 0.999))
    chances = inclusion(sizes, places)
    assert sum(chances) == pytest.approx(places)
    assert all(0 <= chance <= 1 for chance in chances)
    drawn = systematic(chances, start)
    assert len(drawn) == len(set(drawn)) == places


def test_each_is_drawn_with_exactly_its_chance() -> None:
    chances = inclusion([0.9, 0.1, 0.5, 0.5, 0.7, 0.3], 3)
    marks = 2000
    counts = Counter(index for mark in range(marks) for index in systematic(chances, (mark + 0.5) / marks))
    for index, chance in enumerate(chances):
        assert counts[index] / marks == pytest.approx(chance, abs=2 / marks)
