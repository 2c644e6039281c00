"""However old the books, what moved adds up to the balances."""

import sqlite3
from contextlib import closing

import pytest

from nodes.metabolic_controller import books
from nodes.metabolic_controller.accounts import BUDGET, OPENING, Account, post

HOUR = books.HOUR_NS


@pytest.fixture
def base():
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as opened:
        for statement in books.TABLES:
            opened.execute(statement)
        yield opened


def spent(account: Account, micro: int, ident: str) -> Account:
    return post(account.written(), BUDGET, "spent/exchange", micro, ident)


def test_history_tells_what_moved_in_each_hour(base: sqlite3.Connection):
    account = post(Account(), OPENING, BUDGET, 100)
    books.keep(base, account, 10 * HOUR)
    for number in range(3):
        account = spent(account, 5, str(number))
        books.keep(base, account, (10 + number // 2) * HOUR + 7)
    told = [
        (one.hour_ns // HOUR, one.target, one.micro, one.count) for one in books.history(base, 10 * HOUR, 11 * HOUR)
    ]
    assert told == [(10, "spent/exchange", 10, 2), (10, "budget", 100, 1), (11, "spent/exchange", 5, 1)]
    assert books.history(base, 12 * HOUR, 20 * HOUR) == []
    assert books.kept_since_ns(base) == 10 * HOUR


def test_old_postings_become_totals_and_the_books_still_balance(base: sqlite3.Connection, monkeypatch):
    monkeypatch.setattr(books, "POSTINGS_KEPT", 10)
    monkeypatch.setattr(books, "HOURS_KEPT", 5)
    account = post(Account(), OPENING, BUDGET, 10_000)
    books.keep(base, account, 100 * HOUR)
    for number in range(200):
        account = spent(account, 1 + number, str(number))
        books.keep(base, account, (100 + number // 10) * HOUR)
        assert books.audit(base) == ""
    assert base.execute("SELECT COUNT(*) FROM postings").fetchone() == (10,)
    assert base.execute("SELECT COUNT(DISTINCT hour) FROM hours").fetchone()[0] <= 6
    assert books.kept_since_ns(base) == 114 * HOUR
    kept = books.read(base, 0)
    assert kept is not None
    assert kept.spent == {"exchange": 200 * 201 // 2}


def test_what_moved_for_one_thing_can_be_followed(base: sqlite3.Connection):
    account = spent(spent(post(Account(), OPENING, BUDGET, 100), 3, "x"), 4, "y")
    books.keep(base, account, HOUR)
    assert [(one.target, one.micro) for one in books.postings(base, "y")] == [("spent/exchange", 4)]
