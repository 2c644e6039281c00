from __future__ import annotations

from dataclasses import dataclass, field
from random import Random

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodes.dream_consolidator import settings as configuration
from nodes.dream_consolidator.collector.examples import Example
from nodes.dream_consolidator.schedule import Need, need, not_due, wanted
from protocol.messages.model import ChatMessage

SETTINGS = configuration.load().dream
HOUR_NS = 3600 * 10**9
DAY_S = 86_400.0


def example(number: int, received_ns: int, *, cluster: int = 0, score: float | None = 1.0) -> Example:
    return Example(
        exchange=f"x{number}",
        messages=(ChatMessage(role="user", content=f"q{number}"),),
        answer="a",
        level="large",
        version="v",
        context="novel",
        cluster=cluster,
        salience=0.9,
        score=score,
        verifier="sums",
        confidence=0.9,
        received_ns=received_ns,
    )


def test_need_counts_what_came_since_and_what_only_a_model_judged_for_less() -> None:
    kept = [example(0, 5), *(example(n, 10) for n in (1, 2)), *(example(n, 12, score=None) for n in (3, 4))]
    found = need(kept, SETTINGS, since_ns=5, ended_ns=0, now_ns=10 + HOUR_NS)
    assert (found.fresh, found.worth, found.waiting_s, found.rested_s) == (4, 2 + 2 * SETTINGS.unjudged, 3600.0, None)


def test_a_stratum_with_too_few_new_ones_counts_for_nothing_yet() -> None:
    kept = [example(n, 10, cluster=n) for n in range(9)]
    assert need(kept, SETTINGS, since_ns=0, ended_ns=0, now_ns=10).worth == 0
    assert need([*kept, example(9, 10)], SETTINGS, since_ns=0, ended_ns=0, now_ns=10).worth == 2


@pytest.mark.parametrize(
    ("known", "why"),
    [
        (Need(fresh=8, worth=8), ""),
        (Need(fresh=9, worth=7), "7 of 8 new examples since its last dream"),
        (Need(fresh=9, worth=4, waiting_s=SETTINGS.ripe), ""),
        (Need(fresh=9, worth=3, waiting_s=SETTINGS.ripe), "3 of 4 new examples since its last dream"),
        (Need(fresh=99, worth=99, rested_s=7200), "it dreamt 2.0 h ago, and does at most every 6h"),
        (Need(fresh=99, worth=99, rested_s=SETTINGS.every), ""),
        (Need(fresh=99, worth=99, on_trial=True), "what its last dream left is still on trial"),
        (Need(fresh=0, worth=0, must=True, on_trial=True), ""),
        (Need(fresh=0, worth=0, must=True, rested_s=0), "it dreamt 0.0 h ago, and does at most every 6h"),
    ],
)
def test_when_a_level_is_due(known: Need, why: str) -> None:
    assert not_due(known, SETTINGS) == why


def test_who_asks_waits_for_nothing_but_something_new() -> None:
    assert not_due(Need(fresh=1, worth=0, rested_s=0, on_trial=True), SETTINGS, asked=True) == ""
    assert not_due(Need(fresh=0, worth=0), SETTINGS, asked=True) == "0 of 8 new examples since its last dream"


@given(st.floats(0, 1e7), st.floats(0, 1e7))
def test_waiting_never_makes_a_dream_less_due(one: float, other: float) -> None:
    shorter, longer = sorted((one, other))
    assert 1 <= wanted(longer, SETTINGS) <= wanted(shorter, SETTINGS) <= SETTINGS.fresh


@dataclass
class Life:
    """A level on a device that is left alone only for short whiles. A dream is `work_s` of computing.

    Each stretch first loads for `load_s`, and what is done after that is kept, as a checkpoint on waking keeps it.
    """

    work_s: float
    load_s: float
    kept: list[Example] = field(default_factory=list)
    now_s: float = 0.0
    left_s: float | None = None
    """Of the dream that is not ended; None where there is none."""
    since_ns: int = 0
    ended_ns: int = 0
    dreams: int = 0
    stretches: int = 0

    def idle(self, length_s: float) -> None:
        if self.left_s is None:
            found = need(
                self.kept, SETTINGS, since_ns=self.since_ns, ended_ns=self.ended_ns, now_ns=int(self.now_s * 1e9)
            )
            if not_due(found, SETTINGS):
                return
            self.left_s, self.since_ns = self.work_s, max(each.received_ns for each in self.kept)
        self.stretches += 1
        self.left_s -= max(0.0, length_s - self.load_s)
        if self.left_s <= 0:
            self.left_s, self.ended_ns, self.dreams = None, int((self.now_s + length_s) * 1e9), self.dreams + 1

    def meet(self, score: float | None) -> None:
        self.kept.append(example(len(self.kept), int(self.now_s * 1e9), score=score))


def test_a_life_of_short_idle_gaps_starves_no_dream() -> None:
    """Twenty days; every half hour the device is alone for half a minute to two, and is spoken to in between."""
    random = Random(5)
    life = Life(work_s=600.0, load_s=15.0)
    for _ in range(20 * 48):
        life.idle(random.uniform(30, 120))
        life.now_s += 1800
        if random.random() < 0.2:
            life.meet(1.0 if random.random() < 0.5 else None)
    assert life.dreams >= 15, "at least three in four days"
    assert life.stretches / life.dreams > 5, "none of them fitted into one gap"


def test_where_little_is_judged_a_dream_comes_all_the_same_within_days() -> None:
    """Two new examples a day, one in ten judged: the full number would take weeks."""
    life = Life(work_s=60.0, load_s=5.0)
    for day in range(20):
        for _ in range(2):
            life.now_s += DAY_S / 2
            life.meet(1.0 if day % 5 == 0 else None)
            life.idle(600)
    assert life.dreams >= 4


def test_no_level_dreams_more_often_than_allowed() -> None:
    life = Life(work_s=60.0, load_s=5.0)
    for _ in range(24 * 5):
        life.now_s += 3600
        for _ in range(10):
            life.meet(1.0)
        life.idle(600)
    assert life.dreams <= 5 * DAY_S / SETTINGS.every


def test_the_settings_may_ask_for_less() -> None:
    eager = msgspec.structs.replace(SETTINGS, fresh=1, every=0.0)
    assert not_due(Need(fresh=1, worth=1, rested_s=0.0), eager) == ""
