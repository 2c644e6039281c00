"""The decision alone, on observations made by hand."""

import pytest

from nodes.context_classifier.classify import Observation, Thresholds, classify, conflict, familiarity
from protocol.messages.context import Context

THRESHOLDS = Thresholds()


def seen(**changes: object) -> Observation:
    values: dict[str, object] = {
        "similarity": 0.9,
        "members": 5,
        "joins": True,
        "expected": 0.3,
        "continuity": 0.9,
        "echo": 0.5,
        "swinging": 0.0,
        "contradiction": 0.0,
    }
    return Observation(**{**values, **changes})


def test_probabilities_sum_to_one_and_the_highest_is_the_confidence() -> None:
    for similarity in (0.0, 0.4, 0.7, 1.0):
        for contradiction in (0.0, 0.7, 1.0):
            judged = classify(seen(similarity=similarity, contradiction=contradiction), THRESHOLDS)
            assert sum(judged.probabilities.values()) == pytest.approx(1)
            assert judged.confidence == max(judged.probabilities.values())
            assert judged.why


def test_a_practised_kind_that_goes_on_is_stable() -> None:
    assert classify(seen(), THRESHOLDS).context is Context.STABLE


def test_what_is_far_from_everything_is_novel() -> None:
    assert classify(seen(similarity=0.2, joins=False), THRESHOLDS).context is Context.NOVEL


def test_everything_is_novel_while_nothing_is_known() -> None:
    judged = classify(seen(similarity=0.0, members=0, joins=False), THRESHOLDS)
    assert judged.context is Context.NOVEL
    assert judged.why == "nothing is known yet"


def test_something_related_to_the_known_is_moving() -> None:
    assert classify(seen(similarity=0.53, joins=False), THRESHOLDS).context is Context.MOVING


def test_a_known_kind_met_once_after_a_turn_is_moving() -> None:
    assert classify(seen(members=1, continuity=0.1, expected=0.0), THRESHOLDS).context is Context.MOVING


def test_a_contradiction_is_unstable_however_well_known_its_kind() -> None:
    judged = classify(seen(contradiction=0.95, members=100), THRESHOLDS)
    assert judged.context is Context.UNSTABLE
    assert "contradicts" in judged.why


def test_swinging_is_unstable() -> None:
    judged = classify(seen(swinging=0.75), THRESHOLDS)
    assert judged.context is Context.UNSTABLE
    assert "back and forth" in judged.why


def test_conflict_and_familiarity_stay_within_their_range() -> None:
    assert conflict(seen(contradiction=1.0, swinging=1.0)) == 1
    assert conflict(seen()) == 0
    assert familiarity(seen(similarity=1.0), THRESHOLDS) == 1
    assert familiarity(seen(similarity=0.0), THRESHOLDS) == 0


def test_thresholds_that_cannot_be_meant_together_are_refused() -> None:
    with pytest.raises(ValueError, match="unlike < alike"):
        Thresholds(unlike=0.7, alike=0.6)
    with pytest.raises(ValueError, match="practice"):
        Thresholds(practice=0)
