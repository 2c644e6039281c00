import math

import pytest

from nodes.trust_ledger import logistic
from nodes.trust_ledger.config import SPREADS
from nodes.trust_ledger.features import Query, features
from nodes.trust_ledger.logistic import Guess, Weight, fading, guess, learned, level_mean, moments, posterior

LEVEL = 0.4
SUM = features(Query(context="stable", cluster=3, words=5, session="a"))
LONGER = features(Query(context="stable", cluster=3, words=30, session="b"))
OTHER = features(Query(context="stable", cluster=9, words=5, session="a"))


def kept(_at_s: float) -> float:
    return 1.0


def told(named: tuple[str, ...], *scores: float, weights: dict[str, Weight] | None = None, worth: float = 1.0):
    found = weights or {}
    for score in scores:
        found = learned(found, named, score, worth, level=LEVEL, spreads=SPREADS, kept=kept, gamma=1.0, at_s=0.0)
    return found


def chance(weights: dict[str, Weight], named: tuple[str, ...]) -> float:
    return guess(weights, named, LEVEL, SPREADS, kept).chance()


def test_success_at_one_kind_of_question_is_believed_of_it_most_of_its_like_less_of_others_least() -> None:
    weights = told(SUM, *[1.0] * 16)
    assert chance(weights, SUM) > 0.9
    assert chance({}, OTHER) < chance(weights, OTHER) < chance(weights, LONGER) < chance(weights, SUM)


def test_a_kind_that_fails_does_not_take_the_others_with_it() -> None:
    weights = told(OTHER, *[0.0] * 16, weights=told(SUM, *[1.0] * 16))
    assert chance(weights, OTHER) < 0.2
    assert chance(weights, SUM) > 0.7


def test_with_time_the_mean_stays_and_uncertainty_grows_to_that_of_the_prior() -> None:
    weights = told(SUM, *[1.0] * 16)
    fresh, old, gone = (guess(weights, SUM, LEVEL, SPREADS, fading(at, 10.0)) for at in (0.0, 10.0, 1e6))
    assert fresh.mean == old.mean == gone.mean
    assert fresh.variance < old.variance < gone.variance
    assert gone.variance == pytest.approx(sum(spread**2 for spread in SPREADS.values()))


def test_gamma_forgets_only_what_the_outcome_speaks_of() -> None:
    before = told(OTHER, *[1.0] * 8)
    after = learned(before, SUM, 1.0, 1.0, level=LEVEL, spreads=SPREADS, kept=kept, gamma=0.5, at_s=0.0)
    assert after["cluster=9"] == before["cluster=9"]
    assert after["context=stable"].evidence < before["context=stable"].evidence


def test_the_posterior_is_the_maximum_of_prior_times_likelihood() -> None:
    before = Guess(0.7, 2.0)
    after = posterior(before, 0.25, 3.0)

    def log_density(s: float) -> float:
        chance = logistic.sigmoid(s)
        return -((s - before.mean) ** 2) / (2 * before.variance) + 3.0 * (
            0.25 * math.log(chance) + 0.75 * math.log(1 - chance)
        )

    step = 1e-4
    assert log_density(after.mean) > log_density(after.mean + step)
    assert log_density(after.mean) > log_density(after.mean - step)
    curve = (log_density(after.mean + step) - 2 * log_density(after.mean) + log_density(after.mean - step)) / step**2
    assert after.variance == pytest.approx(-1 / curve, rel=1e-3)


def test_the_moments_are_those_of_many_draws_of_the_log_odds() -> None:
    steps = 20_000
    belief = Guess(1.2, 3.0)
    points = [-8 + 16 * (at + 0.5) / steps for at in range(steps)]
    density = [math.exp(-x * x / 2) for x in points]
    chances = [logistic.sigmoid(belief.mean + math.sqrt(belief.variance) * x) for x in points]
    mean = sum(d * c for d, c in zip(density, chances, strict=True)) / sum(density)
    square = sum(d * c * c for d, c in zip(density, chances, strict=True)) / sum(density)
    assert moments(belief) == (pytest.approx(mean, abs=1e-3), pytest.approx(square - mean**2, abs=1e-3))


@pytest.mark.parametrize("expected", [0.05, 0.4, 0.8, 0.99])
def test_a_question_new_in_every_respect_succeeds_as_is_expected_of_the_level(expected: float) -> None:
    assert moments(Guess(level_mean(expected, 3.6), 3.6))[0] == pytest.approx(expected)


def test_a_judgement_worth_nothing_changes_no_mean() -> None:
    weights = told(SUM, 1.0, worth=0.0)
    assert chance(weights, SUM) == pytest.approx(chance({}, SUM))
