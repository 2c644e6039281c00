"""The account on the disk: balances, what is held, and what moved, in tables of the controller's store.

Postings are kept one by one for a while, then as totals by hour, then as one total: however old the books, what moved
since they were opened adds up to the balances. Whoever calls has a transaction open; what a crash cuts off never was.
"""

from __future__ import annotations

import sqlite3

import msgspec

from nodes.metabolic_controller.accounts import (
    BUDGET,
    INCOME,
    OPENING,
    RESERVE,
    SPENT,
    Account,
    Posting,
    Reservation,
    imbalance,
)
from protocol.messages.metabolism import Moved

HOUR_NS = 3600 * 10**9
POSTINGS_KEPT = 20_000
"""One by one: at least a day. Time alone moves 5,760 a day, an exchange some ten."""
HOURS_KEPT = 92 * 24
"""As totals by hour; what is older is one total at hour 0."""

TABLES = (
    "CREATE TABLE balances (account TEXT PRIMARY KEY, micro INTEGER NOT NULL) STRICT",
    """CREATE TABLE reservations (
        ident      TEXT PRIMARY KEY,
        kind       TEXT NOT NULL,
        micro      INTEGER NOT NULL,
        expires_ns INTEGER NOT NULL
    ) STRICT""",
    """CREATE TABLE postings (
        number  INTEGER PRIMARY KEY AUTOINCREMENT,
        wall_ns INTEGER NOT NULL,
        source  TEXT NOT NULL,
        target  TEXT NOT NULL,
        micro   INTEGER NOT NULL CHECK (micro > 0),
        ident   TEXT NOT NULL
    ) STRICT""",
    """CREATE TABLE hours (
        hour   INTEGER NOT NULL,
        source TEXT NOT NULL,
        target TEXT NOT NULL,
        micro  INTEGER NOT NULL,
        count  INTEGER NOT NULL,
        PRIMARY KEY (hour, source, target)
    ) STRICT, WITHOUT ROWID""",
    """CREATE VIEW moved AS
        SELECT hour, source, target, micro, count FROM hours
        UNION ALL SELECT wall_ns / 3600000000000, source, target, micro, 1 FROM postings""",
)
_POSTINGS_TO_HOURS = """
    INSERT INTO hours SELECT wall_ns / 3600000000000, source, target, SUM(micro), COUNT(*) FROM postings
    WHERE number <= ? GROUP BY 1, 2, 3
    ON CONFLICT (hour, source, target) DO UPDATE SET micro = micro + excluded.micro, count = count + excluded.count
"""
_HOURS_TO_ONE = """
    INSERT INTO hours SELECT 0, source, target, SUM(micro), SUM(count) FROM hours
    WHERE hour > 0 AND hour < ? GROUP BY 2, 3
    ON CONFLICT (hour, source, target) DO UPDATE SET micro = micro + excluded.micro, count = count + excluded.count
"""


def keep(base: sqlite3.Connection, account: Account, wall_ns: int) -> None:
    """Write what moved, the balances after it, and what is held now."""
    base.executemany(
        "INSERT INTO postings (wall_ns, source, target, micro, ident) VALUES (?, ?, ?, ?, ?)",
        [(wall_ns, one.source, one.target, one.micro, one.ident) for one in account.unwritten],
    )
    base.executemany("INSERT OR REPLACE INTO balances VALUES (?, ?)", account.balances.items())
    _keep_held(base, account, wall_ns)
    _roll_up(base)


def read(base: sqlite3.Connection, wall_ns: int) -> Account | None:
    """The account as it was last written, None before the first time. Its clock, and those of what is held, begin at 0.

    ValueError says why the books do not balance.
    """
    balances = dict(base.execute("SELECT account, micro FROM balances").fetchall())
    if not balances:
        return None
    held = {
        ident: Reservation(kind=kind, micro=micro, expires_s=(expires_ns - wall_ns) / 1e9)
        for ident, kind, micro, expires_ns in base.execute("SELECT ident, kind, micro, expires_ns FROM reservations")
    }
    account = Account(balances=balances, held=held)
    if wrong := imbalance(account):
        raise ValueError(wrong)
    return account


def audit(base: sqlite3.Connection) -> str:
    """What is wrong between balances and all that ever moved; empty where they agree."""
    account = read(base, 0)
    moved: dict[str, int] = {}
    for source, target, micro in base.execute("SELECT source, target, SUM(micro) FROM moved GROUP BY 1, 2"):
        moved[source] = moved.get(source, 0) - micro
        moved[target] = moved.get(target, 0) + micro
    balances = account.balances if account else {}
    for name in sorted({*moved, *balances}):
        if moved.get(name, 0) != balances.get(name, 0):
            return f"{name} is {balances.get(name, 0)} micro-ATP, but {moved.get(name, 0)} moved there in all"
    return ""


def history(base: sqlite3.Connection, since_ns: int, until_ns: int) -> list[Moved]:
    """What moved in the hours from `since_ns` to `until_ns`, both included, oldest first."""
    rows = base.execute(
        "SELECT hour, source, target, SUM(micro), SUM(count) FROM moved"
        " WHERE hour BETWEEN ? AND ? GROUP BY 1, 2, 3 ORDER BY 1, 2, 3",
        (max(1, since_ns // HOUR_NS), until_ns // HOUR_NS),
    )
    return [Moved(hour_ns=row[0] * HOUR_NS, source=row[1], target=row[2], micro=row[3], count=row[4]) for row in rows]


def kept_since_ns(base: sqlite3.Connection) -> int:
    """Wall time of the oldest hour that is kept; 0 where there is none."""
    (oldest,) = base.execute("SELECT MIN(hour) FROM moved WHERE hour > 0").fetchone()
    return (oldest or 0) * HOUR_NS


def postings(base: sqlite3.Connection, ident: str) -> list[Posting]:
    """What moved for `ident`, as far as it is kept one by one."""
    rows = base.execute("SELECT source, target, micro, ident FROM postings WHERE ident = ? ORDER BY number", (ident,))
    return [Posting(*row) for row in rows]


class _First(msgspec.Struct):
    """The account as the first version wrote it."""

    opening: int
    income: int = 0
    reserve: int = 0
    spent: dict[str, int] = {}


def take_over(base: sqlite3.Connection, written: bytes) -> None:
    """Open the books with an account of the first version: its sums become one total that belongs to no hour."""
    old = msgspec.msgpack.decode(written, type=_First)
    moved = [
        (OPENING, BUDGET, old.opening),
        (INCOME, BUDGET, old.income),
        (RESERVE, BUDGET, old.reserve),
        *((BUDGET, SPENT + kind, micro) for kind, micro in old.spent.items()),
    ]
    balances: dict[str, int] = {}
    for source, target, micro in moved:
        balances[source] = balances.get(source, 0) - micro
        balances[target] = balances.get(target, 0) + micro
    base.executemany("INSERT INTO hours VALUES (0, ?, ?, ?, 1)", [one for one in moved if one[2]])
    base.executemany("INSERT INTO balances VALUES (?, ?)", balances.items())


def _keep_held(base: sqlite3.Connection, account: Account, wall_ns: int) -> None:
    """All of it anew: the same ident may be held again for something else before the books are written."""
    base.execute("DELETE FROM reservations")
    base.executemany(
        "INSERT INTO reservations VALUES (?, ?, ?, ?)",
        [
            (ident, one.kind, one.micro, wall_ns + round((one.expires_s - account.at_s) * 1e9))
            for ident, one in account.held.items()
        ],
    )


def _roll_up(base: sqlite3.Connection) -> None:
    """Make one total of the postings, and of the hours, that are older than what is kept of each."""
    newest, hour = base.execute(
        "SELECT number, wall_ns / 3600000000000 FROM postings ORDER BY number DESC LIMIT 1"
    ).fetchone() or (0, 0)
    old = (newest - POSTINGS_KEPT,)
    if base.execute("SELECT 1 FROM postings WHERE number <= ? LIMIT 1", old).fetchone():
        base.execute(_POSTINGS_TO_HOURS, old)
        base.execute("DELETE FROM postings WHERE number <= ?", old)
    before = (hour - HOURS_KEPT,)
    if base.execute("SELECT 1 FROM hours WHERE hour > 0 AND hour < ? LIMIT 1", before).fetchone():
        base.execute(_HOURS_TO_ONE, before)
        base.execute("DELETE FROM hours WHERE hour > 0 AND hour < ?", before)
