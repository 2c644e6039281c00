import io

import pytest

from nodes.metabolic_controller import history
from protocol.messages.metabolism import Metabolic, MetabolicState

SECOND = 10**9
SAID = [
    MetabolicState(state=Metabolic.WAKE, number=1, reason="first start", since_ns=100 * SECOND, budget=100.0),
    MetabolicState(state=Metabolic.REST, number=2, reason="quiet for 3m", since_ns=400 * SECOND, budget=90.0),
    MetabolicState(state=Metabolic.WAKE, number=3, reason="somebody is speaking", since_ns=1000 * SECOND, budget=99.0),
]


def test_a_state_lasts_until_the_next_or_until_now():
    rows = history.rows(SAID, 1100 * SECOND)
    assert [(row[0], row[2], row[3], row[4]) for row in rows] == [
        ("1", "WAKE", "300 s", "100.0"),
        ("2", "REST", "600 s", "90.0"),
        ("3", "WAKE", "100 s", "99.0"),
    ]


def test_the_shares_of_the_states_are_of_the_whole_time():
    shares = history.shares(SAID, 1100 * SECOND)
    assert (shares[Metabolic.WAKE], shares[Metabolic.REST], shares[Metabolic.DREAM]) == (0.4, 0.6, 0.0)


def test_a_clock_that_went_back_makes_no_time_below_nothing():
    assert sum(history.shares(SAID, 0).values()) == pytest.approx(1.0)


def test_the_picture_is_drawn():
    out = io.BytesIO()
    history.picture(SAID, 1100 * SECOND).savefig(out, format="png", dpi=30)
    assert out.getvalue().startswith(b"\x89PNG")
