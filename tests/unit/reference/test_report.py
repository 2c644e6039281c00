"""The goals judge the family by its figures, and stay, unmet, where nothing was measured."""

from typing import Any

import pytest

from experiments.reference.evaluate import skill_means, table
from experiments.reference.family import SIZES
from experiments.reference.report import goals
from experiments.reference.skills import rows


def measured(share: float, **rows_: float) -> dict[str, Any]:
    """Figures of one size that answers every row alike, but for those named `skill__difficulty`."""
    shares = {f"{skill}/{difficulty}": share for skill, difficulty in rows()}
    shares |= {row.replace("__", "/"): value for row, value in rows_.items()}
    means = skill_means(shares)
    return {
        "skills": {row: {"n": 500, "share": it, "low": it, "high": it} for row, it in shares.items()},
        "means": means,
        "mean": sum(means.values()) / len(means),
        "lengths": {"recall": {"256": share, "2000": share}, "perplexity": {"0": 1.5, "256": 1.2, "1792": 1.3}},
    }


def met(figures: dict[str, Any]) -> dict[str, bool]:
    return {goal.id: goal.met for goal in goals(figures)}


def test_a_family_as_it_is_wished_for_meets_every_goal():
    small = {"belonging__1": 0.99, "recall_place__8": 0.9, "recall_favourite__8": 0.9, "belonging__3": 0.1}
    middle = {"belonging__2": 0.99, "recall_place__8": 0.97, "recall_favourite__8": 0.97}
    family = {
        "sensory": measured(0.6, **small),
        "tactical": measured(0.85, **middle),
        "specialized": measured(0.99, hops__4=0.2),
    }
    assert all(met(family).values())


@pytest.mark.parametrize("row", ["addition__3", "talk__1", "hops__3"])
def test_the_largest_is_judged_by_its_worst_row(row: str):
    assert not met({"specialized": measured(0.99, **{row: 0.89})})["specialized_every_row"]


def test_the_largest_is_judged_by_its_worst_skill_over_its_difficulties():
    one = met({"specialized": measured(0.99, addition__3=0.8)})
    assert one["specialized_every_skill"]
    assert not one["specialized_every_row"]
    assert not met({"specialized": measured(0.99, talk__1=0.89)})["specialized_every_skill"]


def test_sizes_that_are_alike_are_no_family():
    found = met({size: measured(0.99) for size in SIZES})
    assert not found["tactical_above_sensory"]
    assert not found["specialized_above_tactical"]
    assert not found["far_below"]


def test_what_was_not_measured_is_not_met():
    found = goals({})
    assert found
    assert not any(goal.met for goal in found)
    assert {goal.measured for goal in found} == {None}
    assert {goal.id for goal in found} == {goal.id for goal in goals({size: measured(0.5) for size in SIZES})}


def test_a_skill_counts_once_however_many_difficulties_it_has():
    assert skill_means({"a/1": 1.0, "a/2": 0.5, "b/1": 0.0}) == {"a": 0.75, "b": 0.0}


def test_the_table_has_a_line_for_every_row_and_the_mean():
    lines = table({size: measured(0.5) for size in SIZES})
    assert len(lines) == 2 + len(list(rows())) + 1
    assert "**0.500**" in lines[-1]
