"""What is counted of conversations."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from experiments.conversations import measures, report, world
from experiments.conversations.measures import Cell
from experiments.conversations.talking import Both, Heard
from protocol.messages.trust import Outcome, Replayed, TrustRow

WORLD = world.load()
LEVELS = WORLD.levels


def heard(**other: Any) -> Heard:
    told = {"right": True, "first_s": 0.1, "standing_s": 0.1, "whole_s": 0.2, "answered_by": "sensory", **other}
    told.setdefault("tried", [told["answered_by"]] if told["answered_by"] in LEVELS else [])
    return Heard(conversation=0, turn=0, kind=told.pop("kind", "question"), text="q", **told)


def both(**ours: Any) -> Both:
    largest = {key: ours.pop(f"largest_{key}") for key in ("right", "whole_s", "atp") if f"largest_{key}" in ours}
    return Both(heard(**ours), heard(answered_by="specialized", **largest))


def test_every_turn_belongs_to_exactly_one_part() -> None:
    turns = [
        both(),
        both(answered_by="pattern"),
        both(answered_by="assumption"),
        both(answered_by="specialized", tried=["sensory", "specialized"]),
        both(answered_by="", error="it is gone"),
    ]
    shares = measures.parts(turns, LEVELS)
    assert {name for name, share in shares.items() if share == pytest.approx(0.2)} == {
        "pattern",
        "assumption",
        "sensory",
        "cascade",
        "no answer",
    }
    assert sum(shares.values()) == pytest.approx(1.0)


def test_people_are_content_with_what_is_right_and_in_time_by_the_piece_that_stood() -> None:
    patience = WORLD.patience
    assert measures.content(heard(), patience)
    assert not measures.content(heard(right=False), patience)
    assert not measures.content(heard(right=None), patience)
    assert not measures.content(heard(standing_s=patience.first + 0.1, whole_s=3.0), patience)
    assert not measures.content(heard(whole_s=patience.whole + 0.1), patience)


def test_right_answers_are_lost_and_won_pair_by_pair_and_patterns_do_not_count() -> None:
    turns = [both(), both(right=False), both(largest_right=False), both(right=False), both(right=None)]
    found = measures.right([*turns, both(kind="pattern", right=False)])
    assert found["questions"] == 4
    assert (found["ours"], found["largest"], found["lost"]) == (0.5, 0.75, 0.25)
    assert found["lost_bound"] > found["lost"]


def test_latency_is_told_as_a_ratio_of_the_largest_level_s() -> None:
    found = measures.latency([both(whole_s=0.1, largest_whole_s=0.2), both(whole_s=0.3, largest_whole_s=0.6)])
    assert found["whole"]["p50"] == {"ours_s": 0.2, "largest_s": 0.4, "ratio": 0.5}
    assert found["whole"]["paired"] == 0.5


def test_energy_saved_is_a_share_of_what_the_largest_took() -> None:
    assert measures.energy([both(atp=1.0, largest_atp=3.0), both(atp=0.0, largest_atp=1.0)])["saved"] == 0.75
    assert measures.energy([both(atp=1.0, largest_atp=0.0)])["saved"] is None


def test_no_choice_saves_more_than_the_smallest_level_alone_did() -> None:
    turns = [both(atp=2.0, largest_atp=4.0), both(answered_by="specialized", atp=4.0, largest_atp=4.0)]
    assert measures.could_save(turns, "sensory") == 0.5
    assert measures.could_save(turns, "tactical") is None


def row(**other: Any) -> TrustRow:
    told = {"level": "sensory", "version": "v", "context": "moving", "mean": 0.8, "low": 0.6, "high": 0.9, **other}
    return TrustRow(evidence=20.0, **told)


def outcome(score: float, source: str = "reference", **other: Any) -> Outcome:
    told = {"level": "sensory", "version": "v", "context": "moving", **other}
    return Outcome(exchange="e", session="s", model="m", score=score, source=source, **told)


def test_trust_is_held_against_what_the_verifier_found_of_that_version_in_that_context() -> None:
    outcomes = [
        *(outcome(1.0) for _ in range(15)),
        *(outcome(0.0) for _ in range(5)),
        outcome(0.0, source="confidence"),
        outcome(0.0, judgement="user"),
        outcome(0.0, context="novel"),
        outcome(0.0, version="w"),
    ]
    (cell,) = measures.cells([row(), row(context="stable")], outcomes, "reference")
    assert (cell.right, cell.outcomes, cell.held) == (0.75, 20, True)
    (apart,) = measures.cells([row(mean=0.2, low=0.1, high=0.3)], outcomes, "reference")
    assert not apart.held


def test_all_right_does_not_stand_apart_from_an_interval_that_ends_below_one() -> None:
    (cell,) = measures.cells([row()], [outcome(1.0)] * 12, "reference")
    assert (cell.right, cell.held) == (1.0, True)


def test_overrides_are_counted_once_for_each_answer() -> None:
    told = [outcome(1.0, override="novel"), outcome(0.0, override="novel", judgement="user"), outcome(1.0)]
    assert measures.overrides(told) == {"novel": 1}


def test_the_report_has_a_row_for_each_day_and_each_cell() -> None:
    turns = [both(atp=1.0, largest_atp=3.0), both(answered_by="pattern", kind="pattern")]
    day = {
        "parts": measures.parts(turns, LEVELS),
        "right": measures.right(turns),
        "atp": measures.energy(turns),
    }
    figures = {
        **measures.summary(turns, LEVELS, WORLD.patience),
        "days": [day, day],
        "overrides": {"novel": 3},
        "spent": {"exchange": 1.0},
    }
    cell = Cell(
        level="sensory", version="v", context="moving", trust=0.8, low=0.6, high=0.9, alpha=8.0, beta=2.0, right=0.1,
        outcomes=40,
    )  # fmt: skip
    night = Replayed(done=40, total=40, why="saves 40 %")
    text = report.text(figures, [night], [cell], WORLD, 2)
    assert "| 1 |" in text
    assert "saves 40 % |" in text
    assert "| 66.7% | - |" in text
    assert "| sensory | moving | 0.80 | 0.60 - 0.90 | 8.0, 2.0 | 0.10 | 0.05 - 0.20 | 40 | apart |" in text
    assert "| novel | 3 |" in text


def test_what_is_heard_is_kept_whole_as_a_raw_row() -> None:
    one = heard()
    assert msgspec.json.decode(msgspec.json.encode(one), type=Heard) == one


def test_who_answered_is_told_with_what_it_took_beside_the_largest() -> None:
    turns = [both(atp=1.0, largest_atp=4.0, largest_whole_s=0.4), both(atp=3.0, largest_atp=4.0, largest_whole_s=0.4)]
    (found,) = measures.by_whom(turns).values()
    assert (found["turns"], found["atp"], found["atp_largest"], found["ratio"]) == (2, 2.0, 4.0, 0.5)
