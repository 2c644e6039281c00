import math

import pytest

from nodes.trust_ledger.posterior import Beta, Evidence, cumulative, fade, fading, observe, posterior, prior, quantile


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


def test_evidence_halves_with_its_half_life_and_keeps_its_rate():
    faded = fade(Evidence(right=6.0, wrong=2.0, at_s=100.0), 150.0, 50.0)
    assert (faded.right, faded.wrong, faded.at_s) == (3.0, 1.0, 150.0)


def test_a_clock_that_went_back_changes_nothing():
    before = Evidence(right=6.0, wrong=2.0, at_s=100.0)
    assert fade(before, 50.0, 10.0) == before
    assert fading(-5.0, 10.0) == 1.0


def test_an_outcome_counts_by_its_score_and_the_weight_of_its_judge():
    after = observe(Evidence(right=10.0, wrong=10.0), 0.75, 2.0, 0.9)
    assert (after.right, after.wrong) == (10.5, 9.5)


def test_the_prior_speaks_where_there_is_no_evidence_and_falls_silent_before_much():
    before = prior(0.8, 2.0)
    assert posterior(before, Evidence(), Evidence(), 4.0).mean == pytest.approx(0.8)
    assert posterior(before, Evidence(right=10.0, wrong=990.0), Evidence(), 4.0).mean == pytest.approx(0.0116, abs=1e-3)


def test_related_evidence_is_worth_at_most_the_pooling():
    before = prior(0.5, 2.0)
    pooled = posterior(before, Evidence(), Evidence(right=900.0, wrong=100.0), 4.0)
    assert (pooled.alpha, pooled.beta) == (pytest.approx(1 + 3.6), pytest.approx(1 + 0.4))
    little = posterior(before, Evidence(), Evidence(right=1.0), 4.0)
    assert (little.alpha, little.beta) == (2.0, 1.0)
