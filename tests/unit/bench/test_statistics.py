import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.bench.statistics import median, percentile, ratios, spread

SAMPLES = st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=50)


@given(SAMPLES)
def test_percentiles_agree_with_the_library_and_stay_between_the_ends(samples):
    assert median(samples) == pytest.approx(statistics.median(samples))
    assert percentile(samples, 0) == min(samples)
    assert percentile(samples, 1) == max(samples)
    assert min(samples) <= percentile(samples, 0.37) <= max(samples)


def test_a_percentile_lies_between_its_neighbours():
    assert percentile([10, 20], 0.25) == 12.5


def test_no_samples_have_no_percentile():
    with pytest.raises(ValueError, match="no samples"):
        percentile([], 0.5)


def test_spread_is_median_and_quartiles():
    assert spread([1, 2, 3, 4, 5]) == {"median": 3, "low": 2, "high": 4, "rounds": 5}


def test_ratios_pair_the_rounds():
    assert ratios([1, 9], [2, 3]) == [0.5, 3]
    with pytest.raises(ValueError, match="shorter"):
        ratios([1, 2], [1])
