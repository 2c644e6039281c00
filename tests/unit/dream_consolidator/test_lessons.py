from __future__ import annotations

from random import Random

import msgspec

from nodes.dream_consolidator.selection.lessons import answered, awaiting, corrected, sort_self_asked, taught, trials
from nodes.dream_consolidator.selection.select import Lesson, Material, Question
from protocol.messages.model import ChatMessage
from tests.process.dream_consolidator.tiny import TinyVerifier

VERIFIERS = [TinyVerifier()]


def asked(text: str) -> tuple[ChatMessage, ...]:
    return (ChatMessage(role="user", content=text),)


def lesson(text: str, **changes: object) -> Lesson:
    return Lesson(
        **{"ident": text, "messages": asked(text), "answer": "", "source": "teacher", "stratum": "novel/1"} | changes
    )


def test_answers_that_a_verifier_refutes_do_not_teach() -> None:
    right, wrong, unknown = lesson("swap ash bay"), lesson("swap ash cod"), lesson("how are you")
    answers = {"swap ash bay": "bay ash", "swap ash cod": "ash cod", "how are you": "fine"}
    kept, refuted = answered([right, wrong, unknown], answers, VERIFIERS)
    assert refuted == 1
    assert [(each.ident, each.answer, each.verified, each.stratum) for each in kept] == [
        ("swap ash bay", "bay ash", True, "swap"),
        ("how are you", "fine", False, "novel/1"),
    ]


def test_a_lesson_keeps_the_answer_it_has_and_one_without_any_is_left_out() -> None:
    kept, refuted = answered([lesson("a", answer="b", verified=True), lesson("c")], {"a": "x", "c": " "}, VERIFIERS)
    assert ([(each.answer, each.verified) for each in kept], refuted) == ([("b", True)], 0)


def test_what_the_student_asks_itself_never_holds_a_judging_question_nor_one_twice() -> None:
    held_out = [Question(ident="x", messages=asked("Swap ash bay?"))]
    texts = ["swap ash bay", "", " ?! ", *(f"copy {number}" for number in range(40)), "Copy 3!", "copy 4"]
    sorted_ = sort_self_asked(texts, held_out, Random(1))
    every = [*sorted_.lessons, *sorted_.development, *sorted_.held_out]
    assert sorted({each.messages[0].content for each in every}) == sorted(f"copy {number}" for number in range(40))
    assert (len(sorted_.held_out), len(sorted_.development), len(sorted_.lessons)) == (16, 4, 20)
    assert len({each.ident for each in every}) == 40
    assert sort_self_asked(texts, held_out, Random(1)) == sorted_


def test_both_answers_are_judged_alike_and_named_by_skill() -> None:
    questions = [
        Question(ident="1", messages=asked("swap ash bay"), stratum="novel/1"),
        Question(ident="2", messages=asked("copy ash bay"), stratum="novel/1"),
        Question(ident="3", messages=asked("how are you"), stratum="novel/2"),
        Question(ident="4", messages=asked("who are you"), stratum="novel/2"),
    ]
    found = trials(
        questions,
        taught=frozenset({"swap", "novel/2"}),
        teacher={"1": "wrong", "2": "wrong", "3": "fine"},
        before={"1": "ash bay", "2": "ash bay", "3": "bad", "4": "me"},
        after={"1": "bay ash", "2": "ash", "3": "Fine", "4": "me"},
        verifiers=VERIFIERS,
    )
    assert [(each.stratum, each.target, each.before, each.after, each.judge) for each in found] == [
        ("swap", True, False, True, "tiny"),
        ("copy", False, True, False, "tiny"),
        ("novel/2", True, False, True, "agreement with the teacher"),
    ]


def test_a_self_asked_question_answered_wrong_goes_to_the_teacher() -> None:
    asked_ = sort_self_asked(["swap ash bay", "swap ash cod", "how are you"], [], Random(1))
    every = (*asked_.lessons, *asked_.development, *asked_.held_out)
    whole = msgspec.structs.replace(
        asked_, lessons=tuple(lesson(each.messages[0].content, source="self") for each in every), development=()
    )
    own = {"swap ash bay": "bay ash", "swap ash cod": "ash cod", "how are you": "fine"}
    sources = {each.ident: each.source for each in corrected(whole, own, VERIFIERS).lessons}
    assert sources == {"swap ash bay": "self", "swap ash cod": "teacher", "how are you": "self"}


def test_only_the_teachers_lessons_of_the_store_count_as_taught_and_only_open_ones_wait_for_it() -> None:
    mine, open_, told = lesson("a", source="self"), lesson("b"), lesson("c", answer="x")
    material = Material(lessons=(mine, told), development=(open_,), held_out=())
    assert taught([mine, told, lesson("self-asked/1")], material) == [told]
    assert awaiting(material, sort_self_asked(["q"], [], Random(1))) == [open_]
