"""The verifier sees text only, and still knows every question and every wrong answer."""

import itertools

import pytest

from experiments.reference.curriculum import questions
from experiments.reference.skills import SKILLS
from experiments.reference.split import Split
from experiments.reference.verifiers import CurriculumVerifier
from protocol.messages.model import ChatMessage

ROWS = [(skill.name, difficulty) for skill in SKILLS.values() for difficulty in skill.difficulties]
VERIFIER = CurriculumVerifier()


def said(*texts: str) -> list[ChatMessage]:
    """Messages by turns, the person's first."""
    return [ChatMessage(role=("user", "assistant")[n % 2], content=text) for n, text in enumerate(texts)]


def judge(*texts: str) -> float | None:
    """The score of the last text as the answer to those before it."""
    verdict = VERIFIER.verify(said(*texts[:-1]), texts[-1])
    return None if verdict is None else verdict.score


@pytest.mark.parametrize("split", Split)
@pytest.mark.parametrize(("skill", "difficulty"), ROWS)
def test_every_question_is_understood_and_its_answer_right(skill: str, difficulty: int, split: Split):
    for question in questions(split, skill, difficulty, 7, 20):
        messages = [ChatMessage(role=message.role, content=message.content) for message in question.messages]
        verdict = VERIFIER.verify(messages, question.answer)
        assert verdict is not None, question
        assert (verdict.score, verdict.expected) == (1.0, question.answer), question
        assert verdict.skill == f"{skill}/{difficulty}"


@pytest.mark.parametrize(("skill", "difficulty"), ROWS)
def test_the_answer_to_another_question_is_wrong(skill: str, difficulty: int):
    drawn = questions(Split.TRAIN, skill, difficulty, 7, 30)
    judged = [
        VERIFIER.verify([ChatMessage(role=m.role, content=m.content) for m in one.messages], other.answer).score
        for one, other in itertools.pairwise(drawn)
        if SKILLS[skill].key(one.answer) != SKILLS[skill].key(other.answer)
    ]
    assert set(judged) <= {0.0}


def test_sums_are_judged_by_their_last_number_spelled_or_not():
    assert judge("What is 42 + 17?", "42 + 17 = 59.") == 1.0
    assert judge("what is forty two plus seventeen", "fifty nine") == 1.0
    assert judge("what is forty two plus seventeen", "42 + 17 = 60.") == 0.0


def test_facts_told_later_replace_earlier_ones():
    told = ("the hammock is in the attic", "noted.", "the hammock is in the garage", "noted.", "where is the hammock")
    assert judge(*told, "the hammock is in the garage.") == 1.0
    assert judge(*told, "the hammock is in the attic.") == 0.0


def test_two_answers_at_once_are_no_answer():
    assert judge("the tent is in the attic where is the tent", "the tent is in the attic or the garage.") == 0.0


def test_a_place_that_nobody_told_is_not_to_be_guessed():
    assert judge("where is the tent", "the tent is in the attic.") == 0.0
    assert judge("where is the tent", "i do not know where the tent is.") == 1.0
    assert judge("who is the boss of anna", "anna gets orders from eric.") == 0.0
    assert judge("who is the boss of anna", "i do not know.") == 1.0


def test_chains_follow_what_was_told():
    told = (
        "anna gets orders from eric and eric gets orders from irene",
        "noted.",
        "who is the boss of the boss of anna",
    )
    assert judge(*told, "anna gets orders from eric. eric gets orders from irene.") == 1.0
    assert judge(*told, "anna gets orders from eric.") == 0.0


@pytest.mark.parametrize("text", ["why is the sky blue", "", "the tent is in the attic"])
def test_what_it_cannot_know_it_does_not_judge(text: str):
    assert judge(text, "because.") is None


def test_an_empty_conversation_is_not_judged():
    assert VERIFIER.verify([], "hello") is None
