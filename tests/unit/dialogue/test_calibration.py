from itertools import pairwise
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodes.dialogue.calibration import FEWEST, Judged, Signs, calibration_error, fit, isotonic, signs_of
from protocol.messages.model import Generated

shares = st.floats(0, 1)


def judged(count: int, seed: int = 0) -> list[Judged]:
    """Answers that are right as often as their least sure token says, squared: raw confidence is far too high."""
    random = Random(seed)
    found = []
    for _ in range(count):
        chance = random.random()
        least = -3 * (1 - chance)
        signs = Signs(mean=least / 3, least=least, margin=6 * chance, tokens=random.randint(2, 20))
        found.append(Judged(signs=signs, score=float(random.random() < chance**2)))
    return found


def test_what_it_says_comes_true_on_answers_it_has_not_seen() -> None:
    calibration = fit(judged(2000))
    assert calibration is not None
    fresh = judged(4000, seed=1)
    told = [calibration.confidence(one.signs) for one in fresh]
    assert calibration_error(told, [one.score for one in fresh]) < 0.04
    assert calibration.error < 0.06


def test_a_surer_answer_is_never_less_probable() -> None:
    calibration = fit(judged(500))
    assert calibration is not None
    assert list(calibration.levels) == sorted(calibration.levels)
    told = [
        calibration.confidence(Signs(mean=-1.0 + at / 20, least=-3.0 + 3 * at / 20, margin=0.3 * at, tokens=5))
        for at in range(21)
    ]
    assert told == sorted(told)
    assert all(0 < chance < 1 for chance in told)


@pytest.mark.parametrize("scores", [[1.0] * 200, [0.0] * 200, [1.0, 0.0] * (FEWEST // 2 - 1)])
def test_too_little_or_all_alike_is_no_calibration(scores: list[float]) -> None:
    signs = Signs(mean=-0.1, least=-0.5, margin=1.0, tokens=4)
    assert fit([Judged(signs=signs, score=score) for score in scores]) is None


def test_answers_that_all_look_alike_are_as_probable_as_they_were_right() -> None:
    signs = Signs(mean=-0.1, least=-0.5, margin=1.0, tokens=4)
    calibration = fit([Judged(signs=signs, score=float(at % 4 > 0)) for at in range(200)])
    assert calibration is not None
    assert calibration.confidence(signs) == pytest.approx(0.75, abs=0.02)


def test_an_answer_without_probabilities_shows_no_signs() -> None:
    known = {"text": "", "ids": [], "stop_reason": "stop", "level": "l", "model": "m", "version": "v", "seconds": {}}
    counts = {"tokens_reused": 0, "tokens_computed": 0, "tokens_generated": 3, "confidence": 0.5}
    assert signs_of(Generated(**known, **counts)) is None
    found = signs_of(Generated(**known, **counts, reply_nll=0.2, reply_peak=0.7, least_margin=1.5))
    assert found == Signs(mean=-0.2, least=-0.7, margin=1.5, tokens=3)


@given(st.lists(st.tuples(shares, st.floats(0.1, 10)), min_size=1, max_size=40))
def test_isotonic_regression_rises_and_keeps_the_weighted_mean(points: list[tuple[float, float]]) -> None:
    values, weights = zip(*points, strict=True)
    smooth = isotonic(values, weights)
    assert all(low <= high + 1e-12 for low, high in pairwise(smooth))
    before = sum(value * weight for value, weight in points)
    assert sum(value * weight for value, weight in zip(smooth, weights, strict=True)) == pytest.approx(before)


@given(st.lists(shares, min_size=1, max_size=40))
def test_what_rises_already_is_left_as_it_is(values: list[float]) -> None:
    rising = sorted(values)
    assert isotonic(rising, [1.0] * len(rising)) == pytest.approx(rising)
