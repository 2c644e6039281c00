"""The decision alone, on observations made by hand."""

import pytest

from nodes.context_classifier.classify import Observation, Questions, classify, looks
from protocol.messages.context import Context

QUESTIONS = Questions()


def seen(**changes: object) -> Observation:
    values: dict[str, object] = {
        "similarity": 0.9,
        "members": 5,
        "joins": True,
        "expected": 0.3,
        "continuity": 0.9,
        "echo": 0.9,
        "swinging": 0.0,
        "contradiction": 0.0,
        "last": 0.9,
        "run": 3,
        "parallel": 1.0,
        "kinship": 1.0,
        "meant": 1.0,
    }
    return Observation(**{**values, **changes})


ALONE = {"continuity": None, "last": None, "echo": 0.0, "run": 0, "parallel": 0.0, "kinship": 0.0, "meant": 0.0}
NEW = {**ALONE, "continuity": 0.0, "last": 0.0, "joins": False, "similarity": 0.1}


def test_probabilities_sum_to_one_and_the_highest_is_the_confidence() -> None:
    for similarity in (0.0, 0.4, 0.7, 1.0):
        for contradiction in (0.0, 0.7, 1.0):
            judged = classify(seen(similarity=similarity, contradiction=contradiction), QUESTIONS)
            assert sum(judged.probabilities.values()) == pytest.approx(1)
            assert judged.confidence == max(judged.probabilities.values())
            assert judged.why


def test_a_run_that_goes_on_is_stable() -> None:
    assert classify(seen(), QUESTIONS).context is Context.STABLE


def test_a_beginning_with_something_well_known_is_stable() -> None:
    assert classify(seen(**ALONE), QUESTIONS).context is Context.STABLE


def test_what_is_far_from_everything_is_novel() -> None:
    assert classify(seen(**NEW), QUESTIONS).context is Context.NOVEL


def test_everything_is_novel_while_nothing_is_known() -> None:
    judged = classify(seen(**{**NEW, "similarity": 0.0, "members": 0}), QUESTIONS)
    assert judged.context is Context.NOVEL
    assert judged.why == "nothing is known yet"


def test_something_related_in_a_conversation_is_moving() -> None:
    related = seen(
        similarity=0.4, joins=False, echo=0.4, last=0.35, parallel=0.3, meant=0.5, run=0, kinship=0.7, continuity=0.4
    )
    assert classify(related, QUESTIONS).context is Context.MOVING


def test_something_well_known_amid_something_else_is_moving() -> None:
    turned = seen(continuity=0.1, last=0.0, echo=0.1, run=0, parallel=0.0, meant=0.0, kinship=0.0)
    assert classify(turned, QUESTIONS).context is Context.MOVING


def test_a_contradiction_is_unstable_however_well_known_its_kind() -> None:
    judged = classify(seen(contradiction=0.95, against="it denies something just said", members=100), QUESTIONS)
    assert judged.context is Context.UNSTABLE
    assert judged.why == "it denies something just said"


def test_swinging_is_unstable() -> None:
    judged = classify(seen(swinging=0.75), QUESTIONS)
    assert judged.context is Context.UNSTABLE
    assert "back and forth" in judged.why


def test_every_look_lies_between_0_and_1() -> None:
    for one in (seen(), seen(**ALONE), seen(**NEW), seen(repeats=40, run=40, members=10_000)):
        assert all(0 <= value <= 1 for value in looks(one).values())
