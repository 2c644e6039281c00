from hypothesis import given
from hypothesis import strategies as st

from runtime.bench.search import Staircase


def climb(capacity, first, trials):
    stairs = Staircase(first)
    best = 0.0
    for _ in range(trials):
        worked = stairs.rate <= capacity
        best = max(best, stairs.rate if worked else 0.0)
        stairs = stairs.after(worked)
    return best


@given(st.floats(2_000, 300_000))
def test_it_comes_close_to_the_capacity_from_far_away_and_never_above(capacity):
    best = climb(capacity, 20_000.0, 16)
    assert 0.85 * capacity <= best <= capacity


def test_one_failure_by_bad_luck_is_tried_again():
    stairs = Staircase(100.0)
    for worked in (True, False, True, True, True):
        stairs = stairs.after(worked)
    assert stairs.rate > 200.0


def test_every_turn_takes_smaller_steps():
    stairs = Staircase(100.0).after(True)
    assert stairs.rate == 200.0
    stairs = stairs.after(False)
    assert 140 < stairs.rate < 142
    assert 1.18 < stairs.after(True).factor < 1.19
