"""Figures from what was measured, with parts made of paper."""

import pytest

from experiments.snarc.bench import _goals, _text
from experiments.snarc.causes import Turn
from experiments.snarc.forerunner import sigmoids
from experiments.snarc.stream import Measured
from experiments.snarc.verdict import Consumers, area, figures
from nodes.context_classifier.feature import Feature
from nodes.context_classifier.salience import DIMENSIONS
from protocol.messages.context import Classified, Context, ExchangeScored, ScoreExchange, Snarc

CONSUMERS = Consumers(rouse=0.6, focus=0.7, held=0.4, kept=0.35)


def measured(cause: str = "", *, counted: bool = True, **parts: float) -> Measured:
    snarc = Snarc(**parts)
    return Measured(
        Turn("s", "text", cause, f"{cause} somehow" if cause else "", counted=counted),
        Classified(session="s", context=Context.STABLE, confidence=1.0, cluster=0, snarc=snarc),
        ScoreExchange(
            exchange="e",
            session="s",
            question="q",
            answer="a",
            context=Context.STABLE,
            confidence=parts.get("sure", 0.9),
        ),
        ExchangeScored(exchange="e", snarc=snarc, conversation=snarc),
        {"novelty": Feature(0.0, "")},
        0.0,
    )


def test_an_area_counts_how_often_a_cause_stands_above_none() -> None:
    positive = [measured(surprise=value) for value in (0.3, 0.9)]
    negative = [measured(surprise=value) for value in (0.1, 0.5)]
    found = area(positive, negative, lambda each: each.snarc.surprise)
    assert found["area"] == 0.75
    assert found["low"] < 0.75 < found["high"]
    assert area([], negative, lambda each: each.snarc.surprise)["area"] is None


def test_each_part_is_compared_with_ordinary_turns_and_goals_follow() -> None:
    rows = [measured() for _ in range(20)]
    for name in (*DIMENSIONS, "unrewarded"):
        rows += [measured(name, **({name: 0.9, "salience": 0.8} if name in DIMENSIONS else {})) for _ in range(5)]
    rows.append(measured(counted=False, salience=0.65))
    found = figures(rows, CONSUMERS)
    assert [found["own"][name]["area"] for name in DIMENSIONS] == [1.0] * 5
    assert found["every"]["surprise"]["novelty"] == 0.5
    assert found["calm"]["rouse"] == pytest.approx(1 / 21, abs=1e-4)
    assert [goal.met for goal in _goals(found)] == [True] * 6 + [False]
    assert "**1.00**" in _text(found)


def test_a_part_that_was_not_planted_is_a_goal_not_met() -> None:
    found = figures([measured(), measured("novelty", novelty=0.9)], CONSUMERS)
    assert {goal.id: goal.measured for goal in _goals(found)}["own.surprise"] is None


def test_sigmoids_never_fall_under_a_half() -> None:
    assert min(sigmoids(measured()).values()) >= 0.5
