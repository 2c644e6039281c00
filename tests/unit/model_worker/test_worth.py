import pytest

from nodes.model_worker.kv.worth import HALF_LIFE_S, Costs, worth


def of(**changes: float) -> float:
    given = {"saved_s": 1.0, "age_s": 0.0, "hits": 0, "salience": 1.0, "nbytes": 100}
    return worth(**(given | changes))  # type: ignore[arg-type]


def test_worth_falls_by_half_with_every_half_life() -> None:
    assert of(age_s=HALF_LIFE_S) == pytest.approx(of() / 2)


def test_what_saves_more_was_used_more_matters_more_or_is_smaller_is_worth_more() -> None:
    assert min(of(saved_s=2.0), of(hits=3), of(salience=2.0), of(nbytes=50)) > of()


def test_loading_is_tried_until_both_costs_are_known_and_then_decided_by_them() -> None:
    costs = Costs()
    assert costs.loading_pays(10, 1000)
    costs.computed(100, 1.0)
    assert costs.loading_pays(10, 1000)
    costs.loaded(1000, 0.05)
    assert costs.loading_pays(10, 1000)
    assert not costs.loading_pays(10, 3000)


def test_costs_follow_what_is_measured() -> None:
    costs = Costs()
    costs.computed(1, 1.0)
    for _ in range(50):
        costs.computed(1, 3.0)
    assert costs.compute_s == pytest.approx(3.0, rel=1e-3)


def test_a_disk_that_was_slow_once_is_tried_again() -> None:
    costs = Costs()
    costs.computed(100, 1.0)
    costs.loaded(1000, 1.0)
    refused = 0
    while not costs.loading_pays(10, 1000):
        refused += 1
    assert 10 < refused < 100
