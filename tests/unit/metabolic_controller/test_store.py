import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from nodes.metabolic_controller import books, reservations
from nodes.metabolic_controller.accounts import BUDGET, OPENING, RESERVED, Account, Reservation, post
from nodes.metabolic_controller.senses import Remembered
from nodes.metabolic_controller.store import Store, StoreError
from protocol.messages.metabolism import Metabolic, MetabolicState


def account(micro: int, spent: int = 0) -> Account:
    return post(post(Account(), OPENING, BUDGET, micro), BUDGET, "spent/base", spent, "WAKE")


ACCOUNT = account(100, 3)


def said(number: int) -> MetabolicState:
    return MetabolicState(state=Metabolic.REST, number=number, reason="quiet", since_ns=number, previous=Metabolic.WAKE)


def test_a_new_store_knows_nothing(tmp_path: Path):
    with closing(Store(tmp_path / "m.sqlite")) as store:
        assert (store.last(), store.account(0), store.lessons(), store.settled("x")) == (None, None, 0, None)
    assert stat.S_IMODE((tmp_path / "m.sqlite").stat().st_mode) == 0o600


def test_transitions_and_account_survive(tmp_path: Path):
    with closing(Store(tmp_path / "m.sqlite")) as store:
        store.entered(said(1), account(1))
        store.entered(said(2), post(account(1).written(), BUDGET, "spent/base", 3, "REST"))
        assert store.audit() == ""
    with closing(Store(tmp_path / "m.sqlite")) as again:
        assert (again.last(), again.account(0).balances) == (said(2), {OPENING: -1, BUDGET: -2, "spent/base": 3})


def test_a_settlement_and_the_account_that_paid_it_are_kept_together(tmp_path: Path):
    with closing(Store(tmp_path / "m.sqlite")) as store:
        store.settle("x", "exchange", 7, ACCOUNT, 1)
        with pytest.raises(StoreError, match="UNIQUE"):
            store.settle("x", "exchange", 7, account(5), 2)
        assert (store.settled("x"), store.account(0).balances, store.audit()) == (7, ACCOUNT.balances, "")


def test_a_damaged_memory_is_named(tmp_path: Path):
    with closing(Store(tmp_path / "m.sqlite")) as store:
        store.entered(said(1), ACCOUNT)
    with closing(sqlite3.connect(tmp_path / "m.sqlite", isolation_level=None)) as base:
        base.execute("UPDATE transitions SET said = x'c1'")
    with closing(Store(tmp_path / "m.sqlite")) as store, pytest.raises(StoreError, match="is damaged"):
        store.last()


def test_what_was_sensed_is_kept(tmp_path: Path):
    known = Remembered(errors=(3, 4), wish=Metabolic.REST, wished_ns=9)
    with closing(Store(tmp_path / "m.sqlite")) as store:
        assert store.senses() == Remembered()
        store.sensed(known)
    with closing(Store(tmp_path / "m.sqlite")) as store:
        assert store.senses() == known


def test_how_much_there_is_to_learn_is_as_it_was_last_told(tmp_path: Path):
    with closing(Store(tmp_path / "m.sqlite")) as store:
        store.learned(7)
        store.learned(12)
    with closing(Store(tmp_path / "m.sqlite")) as store:
        assert store.lessons() == 12


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


def test_what_is_held_goes_on_to_its_own_end_after_a_restart(tmp_path: Path):
    held = {"x": Reservation(kind="exchange", micro=7, expires_s=130.0)}
    holding = msgspec.structs.replace(post(ACCOUNT, BUDGET, RESERVED, 7, "x"), held=held, at_s=100.0)
    with closing(Store(tmp_path / "m.sqlite")) as store:
        store.keep(holding, 50 * 10**9)
    with closing(Store(tmp_path / "m.sqlite")) as again:
        assert again.account(60 * 10**9).held == {"x": Reservation(kind="exchange", micro=7, expires_s=20.0)}
        again.keep(reservations.release(holding.written(), "x"), 61 * 10**9)
        assert again.account(61 * 10**9).held == {}


def test_what_lapsed_and_is_held_again_is_kept_as_it_is_held_now(tmp_path: Path):
    first = post(ACCOUNT, BUDGET, RESERVED, 7, "x")
    first = msgspec.structs.replace(first, held={"x": Reservation(kind="exchange", micro=7, expires_s=1.0)})
    again = post(reservations.release(first.written(), "x"), BUDGET, RESERVED, 2, "x")
    again = msgspec.structs.replace(again, held={"x": Reservation(kind="dream", micro=2, expires_s=9.0)})
    with closing(Store(tmp_path / "m.sqlite")) as store:
        store.keep(first, 0)
        store.keep(again, 0)
        assert store.account(0).held == again.held
        assert store.audit() == ""


def test_books_that_something_else_wrote_to_are_refused(tmp_path: Path):
    with closing(Store(tmp_path / "m.sqlite")) as store:
        store.keep(ACCOUNT, 1)
    with closing(sqlite3.connect(tmp_path / "m.sqlite", isolation_level=None)) as base:
        base.execute("UPDATE postings SET micro = micro + 1 WHERE target = 'spent/base'")
    with closing(Store(tmp_path / "m.sqlite")) as store:
        assert store.audit() == "budget is 97 micro-ATP, but 96 moved there in all"
    with closing(sqlite3.connect(tmp_path / "m.sqlite", isolation_level=None)) as base:
        base.execute("UPDATE balances SET micro = 98 WHERE account = 'budget'")
    with closing(Store(tmp_path / "m.sqlite")) as store, pytest.raises(StoreError, match="are 1 micro-ATP, not 0"):
        store.account(0)


def test_a_store_of_the_first_version_loses_nothing(tmp_path: Path):
    with closing(sqlite3.connect(tmp_path / "m.sqlite", isolation_level=None)) as base:
        base.executescript(FIRST_VERSION)
        written = {"opening": 100, "income": 20, "reserve": 5, "spent": {"base": 30, "exchange": 7}, "at_s": 1.5}
        base.execute("INSERT INTO account VALUES (1, ?)", (msgspec.msgpack.encode(written),))
        base.execute("INSERT INTO settled VALUES ('x', 'exchange', 7, 5)")
        base.execute("INSERT INTO transitions VALUES (2, 2, ?)", (msgspec.msgpack.encode(said(2)),))
    for _ in range(2):
        with closing(Store(tmp_path / "m.sqlite")) as store:
            kept = store.account(0)
            assert (kept.budget, kept.income, kept.reserve, kept.opening) == (88, 20, 5, 100)
            assert kept.spent == {"base": 30, "exchange": 7}
            assert (store.audit(), store.settled("x"), store.lessons(), store.last()) == ("", 7, 0, said(2))


def test_a_migration_that_is_cut_off_leaves_the_old_store_whole(tmp_path: Path, monkeypatch):
    with closing(sqlite3.connect(tmp_path / "m.sqlite", isolation_level=None)) as base:
        base.executescript(FIRST_VERSION)
        base.execute("INSERT INTO account VALUES (1, ?)", (msgspec.msgpack.encode({"opening": 9}),))

    def fail(*_: object) -> None:
        raise OSError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(books, "take_over", fail)
        with pytest.raises(StoreError, match="the disk is full"):
            Store(tmp_path / "m.sqlite")
    with closing(Store(tmp_path / "m.sqlite")) as store:
        assert store.account(0).budget == 9


FIRST_VERSION = """
CREATE TABLE transitions (number INTEGER PRIMARY KEY, wall_ns INTEGER NOT NULL, said BLOB NOT NULL) STRICT;
CREATE TABLE account (only_one INTEGER PRIMARY KEY CHECK (only_one = 1), balances BLOB NOT NULL) STRICT;
CREATE TABLE settled (
    ident   TEXT PRIMARY KEY,
    kind    TEXT NOT NULL,
    micro   INTEGER NOT NULL,
    wall_ns INTEGER NOT NULL
) STRICT;
CREATE TABLE dreamt (only_one INTEGER PRIMARY KEY CHECK (only_one = 1), wall_ns INTEGER NOT NULL) STRICT;
PRAGMA user_version = 1;
"""
