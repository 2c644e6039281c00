from __future__ import annotations

import msgspec

from nodes.dream_consolidator.selection.lessons import (
    Answer,
    answered,
    awaiting,
    corrected,
    sort_self_asked,
    taught,
    trials,
)
from nodes.dream_consolidator.selection.select import Lesson, Material, Question
from nodes.dream_consolidator.selection.split import Split, template
from nodes.dream_consolidator.validation.trial import Manner
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


SPLIT = Split(secret=b"s", turn=2, held_out=0.4, step=0.1, development=0.1)
WORDS = [f"{first}{second}" for first in "bcdfghjk" for second in "aeiou"]


def test_what_the_student_asks_itself_is_split_as_the_store_is_and_never_twice() -> None:
    held_out = (Question(ident="x", messages=asked("Swap ash bay?")),)
    texts = ["swap ash bay", "", " ?! ", *(f"copy {word}" for word in WORDS), "Copy ba!", "copy be"]
    material = Material(lessons=(lesson("copy bo"),), development=(), held_out=held_out, split=SPLIT)
    sorted_ = sort_self_asked(map(asked, texts), material, 0.8)
    sides = {
        "judge": [each.messages[0].content for each in sorted_.held_out],
        "develop": [each.messages[0].content for each in sorted_.development],
        "learn": [each.messages[0].content for each in sorted_.lessons],
    }
    for side, found in sides.items():
        assert all(SPLIT.side(text) == side for text in found)
        assert len(set(found)) == len(found)
    every = {text for found in sides.values() for text in found}
    assert every <= {f"copy {word}" for word in WORDS}
    assert every >= {f"copy {word}" for word in WORDS if SPLIT.side(f"copy {word}") != "rest" and word != "bo"}
    idents = [each.ident for part in (sorted_.held_out, sorted_.development, sorted_.lessons) for each in part]
    assert len(set(idents)) == len(idents)
    assert len({each.cluster for each in sorted_.held_out}) == len({template(text) for text in sides["judge"]})
    assert sort_self_asked(map(asked, texts), material, 0.8) == sorted_


def test_what_the_student_asks_itself_neither_judges_what_was_taught_nor_teaches_what_judges() -> None:
    judging = [f"copy {word}" for word in WORDS if SPLIT.side(f"copy {word}") == "judge"]
    material = Material(lessons=(lesson(f"now {judging[0]}"),), development=(), held_out=(), split=SPLIT)
    near = [text for text in (f"{word} {judging[1]}" for word in WORDS) if SPLIT.side(text) == "learn"]
    sorted_ = sort_self_asked(map(asked, [*judging, *near]), material, 0.5)
    assert judging[0] not in {each.messages[0].content for each in sorted_.held_out}
    assert judging[1] in {each.messages[0].content for each in sorted_.held_out}
    assert near
    assert not sorted_.lessons


def test_a_conversation_with_itself_belongs_where_its_last_question_does_and_no_turn_of_it_that_judges_teaches() -> (
    None
):
    by_side = {side: [word for word in WORDS if SPLIT.side(f"copy {word}") == side] for side in ("judge", "learn")}
    judges, learns = by_side["judge"][0], by_side["learn"]

    def talk(*words: str) -> tuple[ChatMessage, ...]:
        turns = [(*asked(f"copy {word}"), ChatMessage(role="assistant", content=word)) for word in words]
        return tuple(message for turn in turns for message in turn)[:-1]

    kept, begun_later, judging = talk(*learns[:2]), talk(judges, learns[2]), talk(learns[3], judges)
    material = Material(lessons=(), development=(), held_out=(), split=SPLIT)
    sorted_ = sort_self_asked([kept, kept, begun_later, judging], material, 0.8)
    assert [each.messages for each in sorted_.lessons] == [kept, talk(learns[2])]
    assert [each.messages for each in sorted_.held_out] == [judging]


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
        before={key: Answer(text=text) for key, text in zip("1234", ("ash bay", "ash bay", "bad", "me"), strict=True)},
        after={key: Answer(text=text) for key, text in zip("1234", ("bay ash", "ash", "Fine", "me"), strict=True)},
        verifiers=VERIFIERS,
    )
    assert [(each.stratum, each.target, each.before, each.after, each.judge) for each in found] == [
        ("swap", True, False, True, "tiny"),
        ("copy", False, True, False, "tiny"),
        ("novel/2", True, False, True, "agreement with the teacher"),
    ]


def test_a_self_asked_question_answered_wrong_goes_to_the_teacher() -> None:
    everything = Material(lessons=(), development=(), held_out=())
    asked_ = sort_self_asked(map(asked, ["swap ash bay", "swap ash cod", "how are you"]), everything, 0.8)
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
    assert awaiting(material, sort_self_asked([asked("q")], material, 0.8)) == [open_]


def test_a_trial_carries_how_it_was_answered_its_template_and_what_the_base_said() -> None:
    manner = Manner(tokens=3, repeated=0.1, finished=True, confidence=0.7)
    question = Question(ident="1", messages=asked("swap ash bay"), cluster="7")
    (trial,) = trials(
        [question],
        taught=frozenset({"swap"}),
        teacher={},
        before={"1": Answer(text="bay ash", manner=manner)},
        after={"1": Answer(text="ash")},
        base={"1": Answer(text="bay  ash")},
        verifiers=VERIFIERS,
    )
    assert (trial.before, trial.after, trial.base, trial.cluster) == (True, False, True, "7")
    assert (trial.before_manner, trial.after_manner) == (manner, None)
