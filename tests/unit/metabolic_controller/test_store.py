import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import pytest

from nodes.metabolic_controller.energy import Account
from nodes.metabolic_controller.store import Store, StoreError
from protocol.messages.metabolism import Metabolic, MetabolicState

ACCOUNT = Account(opening=100, spent={"base": 3})


def said(number: int) -> MetabolicState:
    return MetabolicState(state=Metabolic.REST, number=number, reason="quiet", since_ns=number, previous=Metabolic.WAKE)


def test_a_new_store_knows_nothing(tmp_path: Path):
    with closing(Store(tmp_path / "m.sqlite")) as store:
        assert (store.last(), store.account(), store.lessons(), store.settled("x")) == (None, None, 0, None)
    assert stat.S_IMODE((tmp_path / "m.sqlite").stat().st_mode) == 0o600


def test_transitions_and_account_survive(tmp_path: Path):
    with closing(Store(tmp_path / "m.sqlite")) as store:
        store.entered(said(1), Account(opening=1))
        store.entered(said(2), ACCOUNT)
    with closing(Store(tmp_path / "m.sqlite")) as again:
        assert (again.last(), again.account()) == (said(2), ACCOUNT)


def test_a_settlement_and_the_account_that_paid_it_are_kept_together(tmp_path: Path):
    with closing(Store(tmp_path / "m.sqlite")) as store:
        store.settle("x", "exchange", 7, ACCOUNT, 1)
        with pytest.raises(StoreError, match="UNIQUE"):
            store.settle("x", "exchange", 7, Account(opening=5), 2)
        assert (store.settled("x"), store.account()) == (7, ACCOUNT)


def test_lessons_are_the_exchanges_since_the_last_dream(tmp_path: Path):
    with closing(Store(tmp_path / "m.sqlite")) as store:
        for number, kind in enumerate(["exchange", "dream", "exchange"]):
            store.settle(str(number), kind, 1, ACCOUNT, number + 1)
        assert store.lessons() == 2
        store.dreamt(2)
        assert store.lessons() == 1


def test_a_damaged_or_newer_file_is_refused_with_a_remedy(tmp_path: Path):
    damaged = tmp_path / "damaged.sqlite"
    damaged.write_bytes(b"nonsense" * 1000)
    with pytest.raises(StoreError, match="not a database") as caught:
        Store(damaged)
    assert (caught.value.place, "move it away" in caught.value.remedy) == (str(damaged), True)
    newer = tmp_path / "newer.sqlite"
    with closing(sqlite3.connect(newer)) as base:
        base.execute("PRAGMA user_version = 9")
    with pytest.raises(StoreError, match="newer program"):
        Store(newer)
