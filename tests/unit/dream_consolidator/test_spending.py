from __future__ import annotations

import math
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodes.dream_consolidator.validation.paired import (
    cluster_bounds,
    fewest,
    mcnemar,
    mean_bounds,
    most_lost,
    tango,
)
from nodes.dream_consolidator.validation.spending import level


def spent(promoted: list[bool], alpha: float = 0.05) -> list[float]:
    return [level(alpha, promoted[:number]) for number in range(len(promoted) + 1)]


@given(st.lists(st.booleans(), max_size=60))
def test_what_was_spent_never_exceeds_alpha_for_each_promotion(promoted: list[bool]) -> None:
    """The invariant from which LORD++ bounds the share of false promotions, at every moment."""
    levels = spent(promoted)
    for number in range(1, len(levels) + 1):
        assert sum(levels[:number]) <= 0.05 * max(1, sum(promoted[: number - 1])) + 1e-12
    assert all(0 < each < 0.05 for each in levels)


def test_dreams_in_vain_cost_the_later_ones_and_a_promotion_earns_it_back() -> None:
    levels = spent([False] * 200)
    assert levels == sorted(levels, reverse=True)
    assert sum(levels) < 0.025
    assert level(0.05, [*[False] * 50, True]) > 10 * level(0.05, [False] * 51)


def test_under_no_change_hardly_any_level_is_ever_promoted() -> None:
    """Ten thousand levels of thirty dreams each that changed nothing: promoted ones are all false."""
    random, ever = Random(5), 0
    for _ in range(10_000):
        promoted: list[bool] = []
        for _ in range(30):
            promoted.append(random.random() < level(0.05, promoted))
            if promoted[-1]:
                ever += 1
                break
    assert ever / 10_000 < 0.05


def test_mcnemar_is_the_upper_tail_of_a_fair_coin() -> None:
    assert mcnemar(0, 0) == 1.0
    assert mcnemar(5, 0) == 1 / 32
    assert mcnemar(8, 2) == pytest.approx(56 / 1024)
    assert 0 < mcnemar(1200, 900) < 1e-9


@given(st.integers(0, 300), st.integers(0, 300))
def test_better_and_worse_are_mirror_images(gained: int, lost: int) -> None:
    assert mcnemar(gained, lost) + mcnemar(lost + 1, gained - 1) == pytest.approx(1.0) if gained else True
    assert mcnemar(gained + 1, lost) <= mcnemar(gained, lost)


@pytest.mark.parametrize(("gained", "lost", "questions", "loss"), [(3, 6, 30, 0.2), (8, 8, 300, 0.02), (1, 5, 44, 0.3)])
def test_the_statistic_stands_on_the_likeliest_share_of_gains_under_that_loss(
    gained: int, lost: int, questions: int, loss: float
) -> None:
    def likelihood(better: float) -> float:
        same = questions - gained - lost
        return gained * math.log(better) + lost * math.log(better + loss) + same * math.log(1 - 2 * better - loss)

    better = max((number * (1 - loss) / 40_000 for number in range(1, 20_000)), key=likelihood)
    variance = questions * (2 * better + loss * (1 - loss))
    expected = (lost - gained - questions * loss) / math.sqrt(variance)
    assert tango(gained, lost, questions, loss) == pytest.approx(expected, abs=1e-3)


@pytest.mark.parametrize("questions", [1, 20, 132, 133, 1000])
def test_where_nothing_changed_the_bound_follows_from_their_number(questions: int) -> None:
    z2 = 1.6448536**2
    assert most_lost(0, 0, questions, 0.95) == pytest.approx(z2 / (questions + z2), rel=1e-6)
    assert fewest(0.02, 0.95) == 133
    assert (most_lost(0, 0, questions, 0.95) <= 0.02) == (questions >= 133)


@given(st.integers(0, 40), st.integers(0, 40), st.integers(0, 400))
def test_the_bound_lies_above_the_loss_and_grows_with_it(gained: int, lost: int, same: int) -> None:
    questions = gained + lost + same
    bound = most_lost(gained, lost, questions, 0.95)
    if questions:
        assert (lost - gained) / questions <= bound <= 1.0
        assert most_lost(gained, lost + 1, questions + 1, 0.95) >= bound - 1e-9
        assert bound == 1.0 or tango(gained, lost, questions, bound) == pytest.approx(-1.6448536, abs=1e-3)
    else:
        assert bound == 1.0


def test_the_bound_holds_as_often_as_it_says() -> None:
    random, held, rounds = Random(3), 0, 2000
    for _ in range(rounds):
        draws = [random.random() for _ in range(400)]
        lost, gained = sum(draw < 0.05 for draw in draws), sum(draw > 0.97 for draw in draws)
        held += most_lost(gained, lost, 400, 0.95) >= 0.02
    assert held / rounds == pytest.approx(0.95, abs=0.02)


def test_bounds_of_a_mean_are_symmetric_and_one_value_bounds_nothing() -> None:
    low, high = mean_bounds([0.0, 1.0] * 50, 0.95)
    assert (low + high) / 2 == pytest.approx(0.5)
    assert high - low == pytest.approx(2 * 1.645 * 0.5025 / 10, rel=1e-2)
    assert mean_bounds([2.0], 0.95) == (-math.inf, math.inf)


def test_questions_that_stand_and_fall_together_widen_the_interval() -> None:
    alone = [(1, 1)] * 60 + [(0, 1)] * 60
    together = [(10, 10)] * 6 + [(0, 10)] * 6
    (low, high), (wide_low, wide_high) = cluster_bounds(alone), cluster_bounds(together)
    assert wide_low < low < 0.5 < high < wide_high
    assert cluster_bounds(alone) == (low, high)
