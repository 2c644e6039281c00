"""Assumptions at rest: SQLite, a commit is on the disk when it returns; statements and values are sealed.

Rows and edges only; what they mean is decided in `cache`.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass

import msgspec

from nodes.dialogue.reality.assumption import Assumption, Level, Standing, Value
from nodes.dialogue.store import Store, StoreUnwritable, Tables

TABLES = Tables(
    1,
    """
CREATE TABLE assumptions (
    number      INTEGER PRIMARY KEY AUTOINCREMENT,
    key         TEXT NOT NULL UNIQUE,
    level       TEXT NOT NULL,
    standing    TEXT NOT NULL,
    why         TEXT NOT NULL,
    confidence  REAL NOT NULL,
    drift       REAL NOT NULL,
    owner       TEXT NOT NULL,
    revision    INTEGER NOT NULL,
    made_ns     INTEGER NOT NULL,
    verified_ns INTEGER NOT NULL,
    used_ns     INTEGER NOT NULL,
    body        BLOB NOT NULL
) STRICT;
CREATE INDEX assumptions_by_use ON assumptions (used_ns);
CREATE INDEX assumptions_by_owner ON assumptions (owner) WHERE owner != '';
CREATE TABLE edges (
    assumption INTEGER NOT NULL,
    support    INTEGER NOT NULL,
    PRIMARY KEY (assumption, support)
) STRICT, WITHOUT ROWID;
CREATE INDEX edges_by_support ON edges (support, assumption);
CREATE TABLE exchanges (
    exchange   TEXT PRIMARY KEY,
    assumption INTEGER NOT NULL
) STRICT;
CREATE INDEX exchanges_by_assumption ON exchanges (assumption);
CREATE TABLE cascades (
    number   INTEGER PRIMARY KEY AUTOINCREMENT,
    key      TEXT NOT NULL,
    why      TEXT NOT NULL,
    surprise REAL NOT NULL,
    followed INTEGER NOT NULL,
    depth    INTEGER NOT NULL,
    seconds  REAL NOT NULL,
    at_ns    INTEGER NOT NULL
) STRICT;
""",
)

_COLUMNS = "number, key, level, standing, why, confidence, drift, owner, revision, made_ns, verified_ns, body"
_UP = (
    "WITH RECURSIVE up (n) AS (SELECT number FROM assumptions WHERE key = ?"  # noqa: S608
    " UNION SELECT edges.support FROM edges JOIN up ON edges.assumption = up.n)"
    " SELECT " + _COLUMNS + " FROM up JOIN assumptions ON number = n ORDER BY key != ?, number"
)
_LOOSE = """
SELECT number FROM assumptions
WHERE number != ? AND NOT EXISTS (SELECT 1 FROM edges WHERE support = number)
    AND NOT (standing = 'broken' AND substr(key, 1, instr(key, '/') - 1) IN (SELECT value FROM json_each(?)))
ORDER BY used_ns, number LIMIT ?
"""
_BY_WAITING = (
    "CREATE INDEX IF NOT EXISTS assumptions_broken ON assumptions (used_ns, number, key) WHERE standing = 'broken'"
)
"""Not among the tables, so that a database made without it gets it too."""
_OWED = """
SELECT number FROM assumptions
WHERE standing = 'broken' AND substr(key, 1, instr(key, '/') - 1) IN (SELECT value FROM json_each(?))
ORDER BY used_ns, number
"""


class Cascade(msgspec.Struct, frozen=True, kw_only=True):
    """One assumption that was broken, and what followed."""

    key: str
    why: str
    surprise: float
    """1 where somebody knew for certain."""
    followed: int
    """Assumptions that rested on it, directly or not."""
    depth: int
    """Of these, the longest way to it."""
    seconds: float
    at_ns: int


class _Body(msgspec.Struct, frozen=True):
    """What is sealed."""

    statement: str
    value: Value
    subject: str = ""
    refuted: tuple[str, ...] = ()


@dataclass(frozen=True)
class Row:
    """An assumption as it lies there; its words are opened when they are needed."""

    number: int
    key: str
    level: Level
    standing: Standing
    why: str
    confidence: float
    drift: float
    owner: str
    revision: int
    made_ns: int
    verified_ns: int
    body: bytes


class Shelf:
    """`store` was opened with `TABLES`. Every method is one statement or a few; callers hold the transaction."""

    def __init__(self, store: Store) -> None:
        """Raises `sqlite3.DatabaseError` where the tables cannot be read."""
        self.store = store
        with suppress(StoreUnwritable, sqlite3.OperationalError):  # without the index it is slower, no more
            store.write(_BY_WAITING)
        ((self._last,),) = store.rows("SELECT coalesce(max(used_ns), 0) FROM assumptions")

    def stamp(self, now_ns: int) -> int:
        """When something is used: `now_ns`, but later than any use before it, whatever the clock was set to."""
        self._last = max(self._last + 1, now_ns)
        return self._last

    def row(self, key: str) -> Row | None:
        found = self.store.rows(f"SELECT {_COLUMNS} FROM assumptions WHERE key = ?", key)  # noqa: S608
        return _row(found[0]) if found else None

    def line(self, key: str) -> list[Row]:
        """The assumption itself, then all it rests on, directly or not; nothing where it is not known."""
        return [_row(each) for each in self.store.rows(_UP, key, key)]

    def opened(self, row: Row, rests_on: tuple[str, ...] = ()) -> Assumption:
        """Raises `SealError` or `msgspec.MsgspecError` where the body cannot be read."""
        body = msgspec.msgpack.decode(self.store.sealer.open(row.body, _place(row.key)), type=_Body)
        return Assumption(
            key=row.key,
            level=row.level,
            statement=body.statement,
            value=body.value,
            confidence=row.confidence,
            rests_on=rests_on,
            drift=row.drift,
            subject=body.subject,
            owner=row.owner,
            refuted=body.refuted,
            standing=row.standing,
            why=row.why,
            revision=row.revision,
            made_ns=row.made_ns,
            verified_ns=row.verified_ns,
        )

    def put(self, one: Assumption, now_ns: int) -> int:
        """Write it down as it is, used now; its number. Edges are left alone."""
        body = _Body(one.statement, one.value, one.subject, one.refuted)
        self.store.write(
            "INSERT INTO assumptions (key, level, standing, why, confidence, drift, owner, revision, made_ns,"
            " verified_ns, used_ns, body) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (key) DO UPDATE SET"
            " level = excluded.level, standing = excluded.standing, why = excluded.why,"
            " confidence = excluded.confidence, drift = excluded.drift, owner = excluded.owner,"
            " revision = excluded.revision, verified_ns = excluded.verified_ns, used_ns = excluded.used_ns,"
            " body = excluded.body",
            one.key,
            str(one.level),
            str(one.standing),
            one.why,
            one.confidence,
            one.drift,
            one.owner,
            one.revision,
            one.made_ns,
            one.verified_ns,
            self.stamp(now_ns),
            self.store.sealer.seal(msgspec.msgpack.encode(body), _place(one.key)),
        )
        return self.numbers([one.key])[one.key]

    def stand(self, numbers: Iterable[int], standing: Standing, why: str) -> int:
        """Let these stand so; how many that changed."""
        return self.store.write(
            "UPDATE assumptions SET standing = ?, why = ? WHERE standing != ? AND number IN"
            " (SELECT value FROM json_each(?))",
            str(standing),
            why,
            str(standing),
            json.dumps(list(numbers)),
        )

    def numbers(self, keys: Iterable[str]) -> dict[str, int]:
        """Key → number, of those that are known."""
        wanted = json.dumps(list(keys))
        query = "SELECT key, number FROM assumptions WHERE key IN (SELECT value FROM json_each(?))"
        return dict(self.store.rows(query, wanted))

    def keys(self, numbers: Iterable[int]) -> list[str]:
        query = "SELECT key FROM assumptions WHERE number IN (SELECT value FROM json_each(?)) ORDER BY number"
        return [key for (key,) in self.store.rows(query, json.dumps(list(numbers)))]

    def listed(self, level: str, most: int) -> list[Row]:
        """The most recently used first."""
        query = f"SELECT {_COLUMNS} FROM assumptions WHERE ? IN ('', level) ORDER BY used_ns DESC, number DESC LIMIT ?"  # noqa: S608
        return [_row(each) for each in self.store.rows(query, level, most)]

    def standing(self, kind: str, standing: Standing) -> list[Row]:
        """Those whose key begins with `kind/` that stand so."""
        query = f"SELECT {_COLUMNS} FROM assumptions WHERE key GLOB ? AND standing = ? ORDER BY number"  # noqa: S608
        return [_row(each) for each in self.store.rows(query, f"{kind}/*", str(standing))]

    def owned(self, owner: str) -> list[int]:
        return [number for (number,) in self.store.rows("SELECT number FROM assumptions WHERE owner = ?", owner)]

    def begins(self, beginning: str) -> list[str]:
        """Keys that begin so."""
        query = "SELECT key FROM assumptions WHERE substr(key, 1, ?) = ? ORDER BY key LIMIT 10"
        return [key for (key,) in self.store.rows(query, len(beginning), beginning)]

    # Edges

    def rest(self, number: int, supports: Iterable[int]) -> None:
        """It rests on these and on nothing else."""
        self.store.write("DELETE FROM edges WHERE assumption = ?", number)
        for support in supports:
            self.store.write("INSERT OR IGNORE INTO edges VALUES (?, ?)", number, support)

    def supports(self, number: int) -> list[int]:
        rows = self.store.rows("SELECT support FROM edges WHERE assumption = ? ORDER BY support", number)
        return [support for (support,) in rows]

    def bears(self, number: int) -> int:
        """How many rest directly on it."""
        ((count,),) = self.store.rows("SELECT count(*) FROM edges WHERE support = ?", number)
        return int(count)

    def resting(self, numbers: Iterable[int]) -> set[int]:
        """What rests directly on any of these."""
        query = "SELECT DISTINCT assumption FROM edges WHERE support IN (SELECT value FROM json_each(?))"
        return {number for (number,) in self.store.rows(query, json.dumps(list(numbers)))}

    # Bounds

    def remove(self, numbers: Iterable[int]) -> int:
        wanted = json.dumps(list(numbers))
        for table in ("edges", "exchanges"):
            self.store.write(
                f"DELETE FROM {table} WHERE assumption IN (SELECT value FROM json_each(?))",  # noqa: S608
                wanted,
            )
        self.store.write("DELETE FROM edges WHERE support IN (SELECT value FROM json_each(?))", wanted)
        return self.store.write("DELETE FROM assumptions WHERE number IN (SELECT value FROM json_each(?))", wanted)

    def count(self) -> int:
        ((count,),) = self.store.rows("SELECT count(*) FROM assumptions")
        return int(count)

    def loose(self, most: int, spared: int, owed: Iterable[str] = ()) -> list[int]:
        """Those that bear nothing, the least recently used first; never `spared`, nor a broken one of a kind `owed`."""
        return [number for (number,) in self.store.rows(_LOOSE, spared, json.dumps(list(owed)), most)]

    def owed(self, kinds: Iterable[str]) -> list[int]:
        """Broken ones of these kinds, the least recently used first."""
        return [number for (number,) in self.store.rows(_OWED, json.dumps(list(kinds)))]

    def touch(self, used: dict[int, int]) -> None:
        """Number → the stamp of its last use."""
        for number, used_ns in used.items():
            self.store.write("UPDATE assumptions SET used_ns = max(used_ns, ?) WHERE number = ?", used_ns, number)

    # Which exchanges were answered from which

    def answered(self, exchange: str, number: int, most: int) -> None:
        self.store.write("INSERT OR REPLACE INTO exchanges VALUES (?, ?)", exchange, number)
        self.store.write(
            "DELETE FROM exchanges WHERE rowid <= (SELECT rowid FROM exchanges ORDER BY rowid DESC LIMIT 1 OFFSET ?)",
            most,
        )

    def answer_of(self, exchange: str) -> str:
        """The key of the assumption that an exchange was answered from, or that its answer became; "" if none is."""
        query = "SELECT key FROM exchanges JOIN assumptions ON number = assumption WHERE exchange = ?"
        found = self.store.rows(query, exchange)
        return str(found[0][0]) if found else ""

    # Cascades

    def note(self, cascade: Cascade, most: int) -> None:
        self.store.write(
            "INSERT INTO cascades (key, why, surprise, followed, depth, seconds, at_ns) VALUES (?, ?, ?, ?, ?, ?, ?)",
            *(getattr(cascade, name) for name in Cascade.__struct_fields__),
        )
        self.store.write(
            "DELETE FROM cascades WHERE number <= (SELECT number FROM cascades ORDER BY number DESC LIMIT 1 OFFSET ?)",
            most,
        )

    def cascades(self, key: str = "", most: int = 20) -> list[Cascade]:
        """The latest first; of one assumption, or of all."""
        query = (
            "SELECT key, why, surprise, followed, depth, seconds, at_ns FROM cascades WHERE ? IN ('', key)"
            " ORDER BY number DESC LIMIT ?"
        )
        names = Cascade.__struct_fields__
        return [Cascade(**dict(zip(names, row, strict=True))) for row in self.store.rows(query, key, most)]


def _row(values: tuple[object, ...]) -> Row:
    number, key, level, standing, *rest = values
    return Row(number, key, Level(str(level)), Standing(str(standing)), *rest)  # type: ignore[arg-type]


def _place(key: str) -> bytes:
    return f"reality/{key}".encode()
