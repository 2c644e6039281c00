import math

import pytest

from nodes.trust_ledger.posterior import Beta, cumulative, matched, quantile


@pytest.mark.parametrize("x", [0.0, 0.1, 0.5, 0.9, 1.0])
@pytest.mark.parametrize("a", [0.3, 1.0, 2.5, 40.0])
def test_the_cumulative_agrees_with_its_closed_forms(x: float, a: float):
    assert cumulative(x, a, 1.0) == pytest.approx(x**a, abs=1e-12)
    assert cumulative(x, 1.0, a) == pytest.approx(1 - (1 - x) ** a, abs=1e-12)


def test_the_cumulative_of_whole_numbers_is_a_binomial_tail():
    """I_x(k, n − k + 1) = P(Binomial(n, x) ≥ k)."""
    n, k, x = 12, 5, 0.37
    tail = sum(math.comb(n, i) * x**i * (1 - x) ** (n - i) for i in range(k, n + 1))
    assert cumulative(x, k, n - k + 1) == pytest.approx(tail, abs=1e-12)


def test_known_quantiles():
    assert quantile(0.5, 1.0, 1.0) == pytest.approx(0.5)
    assert quantile(0.05, 1.0, 1.0) == pytest.approx(0.05)
    assert quantile(0.5, 30.0, 30.0) == pytest.approx(0.5)
    assert quantile(0.25, 2.0, 1.0) == pytest.approx(0.5)


def test_a_belief_has_its_mean_inside_a_narrowing_interval():
    few, many = Beta(4.0, 2.0), Beta(400.0, 200.0)
    assert few.mean == many.mean == pytest.approx(2 / 3)
    low, high = few.interval()
    nearer = many.interval()
    assert low < nearer[0] < 2 / 3 < nearer[1] < high


def test_a_matched_belief_has_the_mean_and_the_variance_it_was_given():
    beta = matched(0.3, 0.01)
    whole = beta.alpha + beta.beta
    assert beta.mean == pytest.approx(0.3)
    assert beta.alpha * beta.beta / (whole**2 * (whole + 1)) == pytest.approx(0.01)


@pytest.mark.parametrize("variance", [0.0, 0.25, 1.0])
def test_a_variance_that_no_rate_has_makes_a_belief_all_the_same(variance: float):
    low, high = matched(0.5, variance).interval()
    assert 0 <= low < 0.5 < high <= 1
