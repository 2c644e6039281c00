from __future__ import annotations

from random import Random

import msgspec
import pytest

from nodes.dream_consolidator import settings as configuration
from nodes.dream_consolidator.adapters.canary import Trial, decided, heard, standing
from protocol.messages.trust import TrustRecorded

SETTINGS = msgspec.structs.replace(configuration.load().canary, undecided="promote")
TRIAL = Trial(level="sensory", digest="new", champion="old", since_ns=0)


def outcome(number: int, adapter: str, score: float, **changes: object) -> TrustRecorded:
    told = {"exchange": f"x{number}", "level": "sensory", "entry": number, "version": "v", "source": "sums", **changes}
    return TrustRecorded(adapter=adapter, score=score, **told)


def lived(random: Random, *, new: float, old: float, judged: int) -> str:
    """What becomes of a challenger with these rates of right answers, of `judged` judged ones of both."""
    trial = TRIAL
    for number in range(judged):
        adapter, rate = ("new", new) if random.random() < SETTINGS.share else ("old", old)
        trial = heard(trial, outcome(number, adapter, float(random.random() < rate)), SETTINGS)
        step, _ = decided(trial, 0, SETTINGS)
        if step != "go on":
            return step
    return "go on"


def test_what_is_judged_of_both_versions_counts_once() -> None:
    trial = TRIAL
    for told in (
        outcome(1, "new", 1.0),
        outcome(1, "new", 0.0, entry=9),
        outcome(2, "old", 0.0),
        outcome(3, "old", 1.0),
        outcome(4, "", 1.0),
        outcome(5, "new", 1.0, level="tactical"),
        outcome(6, "new", 0.9, source="confidence"),
        outcome(7, "new", 0.0, source="cascade"),
        outcome(8, "new", 1.0, repeated=True),
    ):
        trial = heard(trial, told, SETTINGS)
    shown = standing(trial)
    assert (shown.judged, shown.right, shown.champion_judged, shown.champion_right) == (1, 1, 2, 1)


def test_the_base_model_is_what_a_first_challenger_is_measured_against() -> None:
    trial = msgspec.structs.replace(TRIAL, champion="")
    assert heard(trial, outcome(1, "", 1.0), SETTINGS).champion_judged == 1
    assert heard(trial, outcome(1, "", 1.0, version=""), SETTINGS).champion_judged == 0


def test_a_trial_survives_being_written_down() -> None:
    trial = heard(TRIAL, outcome(1, "new", 1.0), SETTINGS)
    assert msgspec.json.decode(msgspec.json.encode(trial), type=Trial) == trial


def test_a_challenger_that_always_fails_where_the_champion_succeeds_is_soon_withdrawn() -> None:
    trial, number = TRIAL, 0
    while decided(trial, 0, SETTINGS)[0] == "go on":
        number += 1
        trial = heard(trial, outcome(2 * number, "new", 0.0), SETTINGS)
        trial = heard(trial, outcome(2 * number + 1, "old", 1.0), SETTINGS)
    step, why = decided(trial, 0, SETTINGS)
    assert (step, number <= 8) == ("withdraw", True)
    assert why.startswith(
        f"it answers worse than what it would replace: 0 of {number} right against {number} of {number}"
    )


def test_one_that_always_succeeds_where_the_champion_fails_is_soon_promoted() -> None:
    trial, number = TRIAL, 0
    while decided(trial, 0, SETTINGS)[0] == "go on":
        number += 1
        trial = heard(trial, outcome(2 * number, "new", 1.0), SETTINGS)
        trial = heard(trial, outcome(2 * number + 1, "old", 0.0), SETTINGS)
    assert (decided(trial, 0, SETTINGS)[0], number <= 8) == ("promote", True)


@pytest.mark.parametrize("rule", ["promote", "withdraw"])
def test_a_device_on_which_little_is_judged_ends_by_the_rule(rule: str) -> None:
    settings = msgspec.structs.replace(SETTINGS, undecided=rule)
    trial = heard(TRIAL, outcome(1, "new", 1.0), settings)
    assert decided(trial, int(settings.longest * 1e9) - 1, settings)[0] == "go on"
    step, why = decided(trial, int(settings.longest * 1e9), settings)
    assert step == rule
    assert why == (f"its time is up and nothing is shown: 1 of 1 right against 0 of 0; `canary.undecided` says {rule}")
    many = msgspec.structs.replace(TRIAL, judged=settings.judged)
    assert decided(many, 0, settings)[0] == rule


def test_no_worse_a_challenger_is_hardly_ever_taken_for_worse_however_often_one_looks() -> None:
    random = Random(1)
    withdrawn = sum(lived(random, new=0.7, old=0.7, judged=300) == "withdraw" for _ in range(100))
    assert withdrawn / 100 <= SETTINGS.alpha


def test_one_that_is_worse_by_more_than_the_margin_is_hardly_ever_taken_for_good() -> None:
    random = Random(2)
    promoted = sum(lived(random, new=0.7 - SETTINGS.margin, old=0.7, judged=300) == "promote" for _ in range(60))
    assert promoted / 60 <= SETTINGS.alpha


def test_a_large_drop_is_found_within_the_trial() -> None:
    random = Random(3)
    withdrawn = sum(lived(random, new=0.4, old=0.8, judged=200) == "withdraw" for _ in range(100))
    assert withdrawn >= 90
