"""A conversation moved between models of the family: the ways, what they keep, and when it is said to pay."""

from __future__ import annotations

from typing import Any

import pytest

from experiments.reference.contexts import Ask, asks, conversations, ids_of, probes
from experiments.reference.evaluate import load
from experiments.reference.family import SIZES
from experiments.reference.split import Split
from experiments.transfer import report
from experiments.transfer.experiment import goals
from experiments.transfer.measure import Measured, measure
from experiments.transfer.pairs import Pair
from experiments.transfer.shapes import Timed
from experiments.transfer.ways import SUMMARY, fit_maps, summary, ways
from nodes.model_worker import levels, loading
from nodes.model_worker.loading import LoadedModel


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    return load(SIZES["sensory"].folder)[1]


@pytest.fixture(scope="module")
def same() -> Pair:
    model: LoadedModel = loading.load(levels.load().by_name("sensory"))
    return Pair("sensory → sensory", model, model)


@pytest.fixture(scope="module")
def found(same: Pair, tokenizer: Any) -> dict[str, Measured]:
    texts = [ids_of(tokenizer, each)[:600] for each in conversations(tokenizer, 6, 1, Split.TRAIN)]
    questions: list[Ask] = asks(same.target, tokenizer, 200, 2, seed=1)
    every = ways(same, fit_maps(same, texts), messages_end=1, sample=texts[0])
    rows = measure(same, every, 200, probes(tokenizer, 200, 1, seed=1), questions)
    return {row.way: row for row in rows}


def test_to_itself_everything_is_kept_by_a_map_and_nothing_without_context(found: dict[str, Measured]) -> None:
    own = found["own reading"]
    assert (own.right, own.surprise, own.sooner) == (1.0, 0.0, 1.0)
    assert found["stacked"].right == 1.0
    assert found["stacked"].surprise < 0.05
    assert found["cut to size"].right == 1.0
    assert found["own, with noise"].right == 1.0
    assert found["no context"].right < 0.5
    assert found["no context"].surprise == pytest.approx(1.0)
    assert found["mean"].right < 0.5


def test_a_summary_has_the_beginning_of_every_message() -> None:
    ids = [1, 2, 3, 0, 4, 5, 6, 7, 0, 8]
    assert summary(ids, 0) == ids
    long = [*([5] * 200), 0, *([6] * 200)]
    kept = summary(long, 0)
    assert len(kept) <= SUMMARY
    assert {5, 6} == set(kept)


def test_it_pays_where_answers_stay_surprise_is_small_and_it_is_sooner(found: dict[str, Measured]) -> None:
    rows = list(found.values())
    shown = report.text(rows, [TIMED])
    assert "## Where it pays" in shown
    assert "| tactical → sensory | 1,024 | full | 1 M | 2.00 | 0.50 | 4.0 × |" in shown
    assert report.picture(rows).startswith(b"<svg")
    assert report.break_even([TIMED]).startswith(b"<svg")
    assert not report.pays(found["no context"])


TIMED = Timed(pair="tactical → sensory", length=1024, rank=None, parameters=10**6, read_s=2.0, moved_s=0.5)


def test_goals_are_of_the_largest_pair_and_not_met_where_it_was_not_run(found: dict[str, Measured]) -> None:
    unmeasured = {goal.id: goal.measured for goal in goals(list(found.values()), [])}
    assert set(unmeasured.values()) == {None}
    assert {goal.id: goal.measured for goal in goals([], [TIMED])}["sooner"] == 4.0
