"""How rare a value is among the last ones, and what is usual."""

import pytest

from nodes.context_classifier.ranks import MOST, Histories, History, Usual


def test_before_there_is_a_history_a_value_is_its_own_rank() -> None:
    assert History(10).rank(0.7, prior=8) == 0.7


def test_a_rank_is_the_share_below_and_half_of_the_ties() -> None:
    history = History(10, [0.1, 0.2, 0.2, 0.3])
    assert history.rank(0.2, prior=0) == 0.5
    assert history.rank(0.25, prior=0) == 0.75
    assert history.rank(0.9, prior=0) == 1.0


def test_nothing_has_rank_nothing_however_common_it_is() -> None:
    history = History(100, [0.0] * 90 + [0.5] * 10)
    assert history.rank(0.0, prior=8) == 0.0
    assert history.rank(0.5, prior=0) == 0.95


def test_only_the_last_ones_count() -> None:
    history = History(3, [0.9, 0.9, 0.9])
    for value in (0.1, 0.2, 0.3):
        history.add(value)
    assert history.values() == [0.1, 0.2, 0.3]
    assert history.rank(0.5, prior=0) == 1.0


def test_what_is_taken_out_counts_no_more_and_what_is_not_there_stays_out() -> None:
    history = History(5, [0.1, 0.2, 0.2])
    history.remove(0.2)
    history.remove(0.7)
    assert history.values() == [0.1, 0.2]
    assert history.rank(0.3, prior=0) == 1.0


def test_the_usual_is_the_median_once_there_are_more_than_were_assumed() -> None:
    history = History(100)
    assert history.usual(4.0, prior=3) == Usual(4.0, 0.0)
    for _ in range(4):
        history.add(1.0)
    assert history.usual(4.0, prior=3) == Usual(1.0, 3.0)


def test_histories_are_kept_apart_saved_and_bounded() -> None:
    histories = Histories(limit=4, prior=1)
    assert histories.met("a", 3.0, assumed=1.0).middle == 1.0
    assert histories.met("a", 3.0, assumed=1.0).middle == 1.0
    assert histories.met("a", 3.0, assumed=1.0).middle == 3.0
    assert histories.rank("b", 0.4) == pytest.approx(0.4)
    restored = Histories(4, 1, histories.save())
    assert restored.save() == {"a": [3.0, 3.0, 3.0]}
    for number in range(MOST + 5):
        histories.add(f"level {number}", 0.5)
    assert len(histories) == MOST
    assert histories.forgotten == 7
