"""Surprise is distance × confidence × centrality, and at every level some observation reaches every response."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodes.dialogue.reality.assumption import Assumption, Evidence, Level
from nodes.dialogue.reality.settings import RealityConfig, rebuilt_at
from nodes.dialogue.reality.surprise import (
    Response,
    aged,
    centrality,
    distance,
    judge,
    right_now,
    updated,
    weighed,
)

CONFIG = RealityConfig()
SHARE = st.floats(0, 1)


def assumed(level: Level, confidence: float, **changes: object) -> Assumption:
    return Assumption(key="k", level=level, statement="s", value="v", confidence=confidence, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize("level", list(Level))
@pytest.mark.parametrize("bears", [0, 3])
@pytest.mark.parametrize("sure", ["only just", "wholly"])
def test_at_every_level_some_observation_goes_on_some_verifies_and_some_rebuilds(
    level: Level, bears: int, sure: str
) -> None:
    confidence = CONFIG.levels[level].bar if sure == "only just" else CONFIG.confidence.limit
    responses = [
        judge(assumed(level, confidence), Evidence(distance=step / 100), bears, 0, CONFIG).response
        for step in range(101)
    ]
    assert list(dict.fromkeys(responses)) == [Response.GO_ON, Response.VERIFY, Response.REBUILD]


@pytest.mark.parametrize(("level", "values"), [
    (Level.SENSORY, (20.0, 21.0, 11.0, 40.0)),
    (Level.CONTEXT, ("the red cup in the hall", "the red cup in the hall now", "the cup", "who")),
])  # fmt: skip
def test_true_values_reach_every_response_where_a_level_knows_degrees(level: Level, values: tuple) -> None:
    known = Assumption(key="k", level=level, statement="s", value=values[0], confidence=0.99)
    apart = [distance(level, values[0], value) for value in values]
    assert apart == sorted(apart)
    assert (apart[0], apart[-1]) == (0.0, 1.0)
    assert judge(known, Evidence(value=values[0]), 0, 0, CONFIG).response is Response.GO_ON
    assert judge(known, Evidence(value=values[-1]), 0, 0, CONFIG).response is Response.REBUILD


def test_the_bands_of_the_sensory_level_are_the_bands_of_the_whole() -> None:
    assert rebuilt_at(Level.SENSORY, CONFIG) == pytest.approx(0.6)
    assert [round(rebuilt_at(level, CONFIG), 3) for level in Level] == [0.6, 0.714, 0.771, 0.829]


@pytest.mark.parametrize("level", list(Level))
def test_weighing_keeps_the_order_and_the_threshold_of_the_level(level: Level) -> None:
    steps = [weighed(step / 100, level, CONFIG) for step in range(101)]
    assert steps == sorted(steps)
    assert (steps[0], round(steps[-1], 9)) == (0.0, 1.0)
    assert weighed(CONFIG.levels[level].threshold, level, CONFIG) == pytest.approx(CONFIG.bands.verify)


def test_the_more_rests_on_it_the_more_central_it_is_and_never_more_than_one() -> None:
    found = [centrality(bears, CONFIG) for bears in (0, 1, 4, 1000, 10**6)]
    assert found == sorted(found)
    assert (found[0], found[2]) == (pytest.approx(0.9), pytest.approx(0.95))
    assert found[-1] < 1


@given(SHARE, SHARE, st.floats(0.5, 1), st.integers(0, 10**4), st.sampled_from(list(Level)))
def test_surprise_and_what_is_left_stay_within_bounds(
    apart: float, confidence: float, reliability: float, bears: int, level: Level
) -> None:
    judged = judge(assumed(level, confidence), Evidence(distance=apart, reliability=reliability), bears, 0, CONFIG)
    assert 0 <= judged.surprise <= 1
    assert 0 <= judged.after <= CONFIG.confidence.limit
    assert judged.surprise == pytest.approx(judged.distance * judged.confidence * judged.centrality)


@given(st.floats(0.01, 0.99), st.floats(0.5, 1))
def test_what_agrees_makes_surer_and_what_disagrees_less_sure(confidence: float, reliability: float) -> None:
    assert updated(confidence, 0.0, reliability) >= confidence - 1e-9
    assert updated(confidence, 1.0, reliability) <= confidence + 1e-9


def test_an_observer_who_errs_needs_company_to_shake_what_is_sure() -> None:
    assert right_now(0.99, 1.0) == 1.0
    assert right_now(0.99, 0.98) == pytest.approx(0.331, abs=1e-3)
    once = updated(0.99, 1.0, 0.98)
    assert updated(once, 1.0, 0.98) < 0.05 < once


def test_what_nobody_would_report_ages_and_the_rest_does_not() -> None:
    assert aged(assumed(Level.ENVIRONMENT, 0.9), 10**18) == 0.9
    known = assumed(Level.ENVIRONMENT, 0.9, drift=0.1)
    assert aged(known, 10 * 10**9) == pytest.approx(0.9 / 2.718281828)
    assert aged(known, -5) == 0.9, "a clock that was set back makes nothing older"


@pytest.mark.parametrize(
    ("level", "one", "other", "expected"),
    [
        (Level.SENSORY, 10.0, 12.0, 0.2),
        (Level.SENSORY, 0.0, 5.0, 1.0),
        (Level.SENSORY, 0.0, 0.0, 0.0),
        (Level.SENSORY, [1.0, 0.0], [0.0, 1.0], 1.0),
        (Level.SENSORY, [1.0, 0.0], [2.0, 0.0], 0.0),
        (Level.SENSORY, [1.0], [1.0, 0.0], 1.0),
        (Level.SENSORY, [0.0], [0.0], 0.0),
        (Level.ENVIRONMENT, "Hall", " hall", 0.0),
        (Level.ENVIRONMENT, "hall", "kitchen", 1.0),
        (Level.ENVIRONMENT, {"a": "1", "b": "2"}, {"a": "1", "b": "3"}, 0.5),
        (Level.ENVIRONMENT, {}, {}, 0.0),
        (Level.CONTEXT, "red cup", "red box", 2 / 3),
        (Level.CONTEXT, "?", "!", 1.0),
        (Level.ABSTRACT, "it is 4 .", "it is 5 .", 1.0),
        (Level.ABSTRACT, "a", 1.0, 1.0),
    ],
)
def test_distance_is_by_what_the_level_speaks_of(level: Level, one: object, other: object, expected: float) -> None:
    assert distance(level, one, other) == pytest.approx(expected)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({}, "either"),
        ({"value": "x", "distance": 0.1}, "either"),
        ({"distance": 1.1}, "0..1"),
        ({"distance": float("nan")}, "0..1"),
        ({"value": float("inf")}, "finite"),
        ({"value": [1.0, float("nan")]}, "finite"),
        ({"value": "x", "reliability": 2}, "reliability"),
    ],
)
def test_evidence_that_compares_with_nothing_is_refused(fields: dict, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        Evidence(**fields)
