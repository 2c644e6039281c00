import pytest

from experiments.reference.intervals import discrimination, wilson
from nodes.dialogue.calibration import calibration_error


def test_wilson_agrees_with_a_worked_value():
    """Newcombe 1998, table I: 81 of 263 gives 0.2553 to 0.3662."""
    assert wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)


def test_wilson_stays_inside_zero_and_one():
    assert wilson(0, 10)[0] == 0.0
    assert wilson(10, 10)[1] == pytest.approx(1.0)
    assert wilson(0, 0) == (0.0, 1.0)


def test_calibration_is_perfect_when_confidence_is_the_share_of_right_answers():
    assert calibration_error([0.75] * 4, [True, True, True, False]) == pytest.approx(0.0)
    assert calibration_error([1.0, 1.0], [False, False]) == 1.0
    assert calibration_error([], []) == 0.0


def test_discrimination_counts_pairs_and_halves_ties():
    assert discrimination([0.9, 0.8, 0.1], [True, True, False]) == 1.0
    assert discrimination([0.5, 0.5], [True, False]) == 0.5
    assert discrimination([0.1, 0.9], [True, False]) == 0.0
    assert discrimination([0.1], [True]) is None
