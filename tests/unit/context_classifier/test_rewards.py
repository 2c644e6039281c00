"""Who may say how an exchange turned out, and what a next turn lets one think."""

import pytest

from nodes.context_classifier.rewards import CORRECTION, REPETITION, UNCORRECTED, USER, authority, correction, judges


@pytest.mark.parametrize(
    "text",
    [
        "no",
        "No, that is wrong.",
        "no it is in the kitchen",
        "that's not right",
        "wrong",
        "you are mistaken",
        "I said the blue one",
        "oh no, the other lamp",
        "the answer is incorrect",
    ],
)
def test_words_that_reject_what_was_answered(text: str) -> None:
    assert correction(text) == 1.0


@pytest.mark.parametrize(
    "text",
    [
        "what is 3 plus 4",
        "is there no milk",
        "no lamp is in the hall",
        "north or south",
        "now turn the lamp off",
        "which answer is wrong",
        "the wrong key is in the hall",
        "thanks",
        "",
    ],
)
def test_words_that_do_not(text: str) -> None:
    assert correction(text) == 0.0


def test_a_person_overrules_a_verifier_and_a_verifier_what_a_turn_lets_one_think() -> None:
    assert authority(USER) > authority("reference") == authority("another") > authority(CORRECTION)
    assert authority(CORRECTION) > authority(REPETITION) > authority(UNCORRECTED)


def test_that_nobody_complained_proves_nothing() -> None:
    assert [judges(source) for source in (USER, "reference", CORRECTION, REPETITION, UNCORRECTED)] == [True] * 4 + [
        False
    ]
