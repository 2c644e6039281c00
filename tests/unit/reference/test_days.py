"""A simulated day follows from its seed, and is as days are."""

import itertools
from collections import Counter

import pytest

from experiments.reference.days import GAP_S, HOUR, QUESTIONS_A_VISIT, Incident, concentrated, day, drifting, even
from experiments.reference.skills import SKILLS, rows
from experiments.reference.split import Split


def overlap(first, second) -> float:
    """The share that two interests have in common, 0..1."""
    return sum(min(first[row], second[row]) for row in first)


def test_a_seed_fixes_a_day_to_the_last_word_and_another_seed_does_not():
    assert day(3, even()).digest == day(3, even()).digest
    assert day(3, even()).digest != day(4, even()).digest
    assert len(day(3, even()).digest) == 64


@pytest.mark.parametrize("interests", [even(), concentrated(1), *drifting(1, 3)])
def test_interests_are_shares_of_all_rows(interests):
    assert set(interests) == set(rows())
    assert sum(interests.values()) == pytest.approx(1.0)


def test_moments_come_in_order_and_nobody_asks_by_night():
    moments = day(5, even(), visits=300).moments
    seconds = [moment.second for moment in moments]
    assert seconds == sorted(seconds)
    began: dict[str, float] = {}
    for moment in moments:
        began.setdefault(moment.session, moment.second)
    assert min(began.values()) >= 6 * HOUR
    assert max(began.values()) < 23 * HOUR


def test_mornings_and_evenings_are_fuller_than_noon():
    hours = Counter(int(moment.second // HOUR) for moment in day(5, even(), visits=2000).moments)
    assert hours[18] > 1.5 * hours[11]
    assert hours[8] > 1.5 * hours[11]


def test_there_are_about_as_many_visits_as_asked_for_and_each_is_a_burst():
    moments = day(2, even(), visits=500).moments
    visits = Counter(moment.session for moment in moments)
    assert len(visits) == pytest.approx(500, rel=0.15)
    assert len(moments) == pytest.approx(500 * QUESTIONS_A_VISIT, rel=0.2)
    longest = [moment.second for moment in moments if moment.session == visits.most_common(1)[0][0]]
    assert max(longest) - min(longest) < 10 * GAP_S * len(longest)


def test_an_incident_brings_many_within_its_minutes():
    usual, unusual = day(2, even(), visits=200), day(2, even(), visits=200, incident=Incident(hour=3.0))
    during = [moment for moment in unusual.moments if Incident(hour=3.0).covers(moment.second)]
    assert not [moment for moment in usual.moments if Incident(hour=3.0).covers(moment.second)]
    assert len({moment.session for moment in during}) > 20
    assert any("visit" in moment.session for moment in unusual.moments if moment.second > 12 * HOUR)


def test_a_concentrated_day_is_about_a_few_skills():
    asked = Counter(moment.question.skill for moment in day(1, concentrated(1), visits=400).moments)
    top = sum(count for _, count in asked.most_common(3))
    assert top / sum(asked.values()) > 0.7
    assert len(asked) > 10


def test_interests_drift_so_that_neighbours_are_alike_and_distant_days_are_not():
    days = drifting(4, 10)
    assert min(overlap(today, tomorrow) for today, tomorrow in itertools.pairwise(days)) > 0.7
    assert overlap(days[0], days[9]) < 0.1
    assert drifting(4, 10) == days
    assert drifting(5, 10) != days


def test_a_circle_of_days_comes_back():
    days = drifting(4, len(SKILLS) + 1)
    assert overlap(days[0], days[-1]) == pytest.approx(1.0)


def test_taught_and_held_out_days_share_no_question():
    taught, held_out = (
        {(moment.question.template, moment.question.content) for moment in day(1, even(), split=split).moments}
        for split in Split
    )
    assert taught
    assert held_out
    assert not taught & held_out
