"""Ranks and usual values, whatever was met."""

import statistics

from hypothesis import given
from hypothesis import strategies as st

from nodes.context_classifier.ranks import NOTHING, History

shares = st.floats(NOTHING * 2, 1)


@given(st.lists(shares, min_size=1, max_size=40), shares, shares)
def test_ranks_grow_with_values_and_stay_within_bounds(values: list[float], one: float, other: float) -> None:
    history = History(20, values)
    low, high = sorted((one, other))
    assert 0 <= history.rank(low, 8) <= history.rank(high, 8) <= 1


@given(st.lists(st.floats(0, 9), max_size=40), st.floats(0, 9), st.integers(1, 9))
def test_the_usual_is_the_lower_median_of_what_was_met_and_assumed(
    values: list[float], assumed: float, prior: int
) -> None:
    expected = statistics.median_low([*values, *[assumed] * prior])
    assert History(50, values).usual(assumed, prior).middle == expected


@given(st.lists(st.one_of(st.tuples(st.just("add"), shares), st.tuples(st.just("remove"), shares)), max_size=60))
def test_whatever_comes_and_goes_it_is_as_if_made_anew_of_what_is_left(steps: list[tuple[str, float]]) -> None:
    history = History(8)
    for step, value in steps:
        getattr(history, step)(value)
    anew = History(8, history.values())
    for value in (0.1, 0.5, 0.9):
        assert history.rank(value, 8) == anew.rank(value, 8)
        assert history.usual(value, 8) == anew.usual(value, 8)
