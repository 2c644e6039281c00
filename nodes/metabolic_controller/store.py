"""What must survive the controller: transitions with their numbers, the account, and what was settled.

SQLite with WAL and synchronous=FULL: what a method has written is on the disk when it returns; `hold` says otherwise.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from nodes.metabolic_controller import books
from nodes.metabolic_controller.accounts import Account
from nodes.metabolic_controller.senses import Remembered
from protocol.errors import SageError
from protocol.messages.metabolism import MetabolicState, Moved

SCHEMA = 2
BUSY_S = 0.2
"""How long a write waits for somebody else who holds the file: the loop stands still meanwhile."""
TRANSITIONS_KEPT = 10_000
SETTLED_KEPT_NS = 90 * 86_400 * 10**9
"""Nobody settles the same exchange again after ninety days."""

_FIRST = (
    "CREATE TABLE transitions (number INTEGER PRIMARY KEY, wall_ns INTEGER NOT NULL, said BLOB NOT NULL) STRICT",
    """CREATE TABLE settled (
        ident   TEXT PRIMARY KEY,
        kind    TEXT NOT NULL,
        micro   INTEGER NOT NULL,
        wall_ns INTEGER NOT NULL
    ) STRICT""",
    "CREATE TABLE dreamt (only_one INTEGER PRIMARY KEY CHECK (only_one = 1), wall_ns INTEGER NOT NULL) STRICT",
)
"""Of the first version, which kept the account as one value in a table of its own."""

_SECOND = (
    "DROP TABLE dreamt",
    "CREATE TABLE senses (only_one INTEGER PRIMARY KEY CHECK (only_one = 1), remembered BLOB NOT NULL) STRICT",
    "CREATE TABLE backlog (only_one INTEGER PRIMARY KEY CHECK (only_one = 1), lessons INTEGER NOT NULL) STRICT",
    "CREATE INDEX settled_when ON settled (wall_ns)",
    *books.TABLES,
)


T = TypeVar("T")


class StoreError(SageError):
    code = "metabolism.store"


class Store:
    """One controller's memory."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with self._named("cannot be opened"):
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
            self._base = sqlite3.connect(path, isolation_level=None, timeout=BUSY_S)
            try:
                self._prepare()
            except BaseException:
                self._base.close()
                raise

    def close(self) -> None:
        self._base.close()

    def last(self) -> MetabolicState | None:
        """The last transition, None before the first."""
        row = self._one("SELECT said FROM transitions ORDER BY number DESC LIMIT 1")
        return self._decoded(row[0], MetabolicState) if row else None

    def transitions(self, since_ns: int, limit: int) -> list[MetabolicState]:
        """The last `limit` transitions after a wall time, oldest first."""
        with self._named("cannot be read"):
            rows = self._base.execute(
                "SELECT said FROM transitions WHERE wall_ns > ? ORDER BY number DESC LIMIT ?", (since_ns, limit)
            ).fetchall()
        return [self._decoded(said, MetabolicState) for (said,) in reversed(rows)]

    def account(self, wall_ns: int) -> Account | None:
        """The account as it was last written; its clock, and those of what is held, begin at 0. None before that."""
        with self._named("cannot be read"):
            try:
                return books.read(self._base, wall_ns)
            except ValueError as error:
                raise StoreError(
                    f"the books do not balance: {error}",
                    place=str(self.path),
                    remedy="something else wrote to this file; move it away to begin anew",
                ) from error

    def audit(self) -> str:
        """What is wrong with the books, every posting counted; empty where they balance."""
        with self._named("cannot be read"):
            try:
                return books.audit(self._base)
            except ValueError as error:
                return str(error)

    def moved(self, since_ns: int, until_ns: int) -> list[Moved]:
        """What moved between accounts in these hours, oldest first."""
        with self._named("cannot be read"):
            return books.history(self._base, since_ns, until_ns)

    def moved_since_ns(self) -> int:
        """Wall time of the oldest hour that `moved` knows; 0 where there is none."""
        with self._named("cannot be read"):
            return books.kept_since_ns(self._base)

    def lessons(self) -> int:
        """How much there was to learn from when that was last told."""
        row = self._one("SELECT lessons FROM backlog")
        return int(row[0]) if row else 0

    def settled(self, ident: str) -> int | None:
        """Micro-ATP booked under `ident`; None where nothing was."""
        row = self._one("SELECT micro FROM settled WHERE ident = ?", (ident,))
        return int(row[0]) if row else None

    def entered(self, said: MetabolicState, account: Account) -> None:
        """A transition, and the account as it stood then."""
        with self._writing():
            self._base.execute(
                "INSERT INTO transitions VALUES (?, ?, ?)", (said.number, said.since_ns, msgspec.msgpack.encode(said))
            )
            self._base.execute("DELETE FROM transitions WHERE number <= ?", (said.number - TRANSITIONS_KEPT,))
            books.keep(self._base, account, said.since_ns)

    def settle(self, ident: str, kind: str, micro: int, account: Account, wall_ns: int) -> None:
        """What something cost, with the account that has paid it: both or neither."""
        with self._writing():
            self._base.execute("INSERT INTO settled VALUES (?, ?, ?, ?)", (ident, kind, micro, wall_ns))
            self._base.execute("DELETE FROM settled WHERE wall_ns < ?", (wall_ns - SETTLED_KEPT_NS,))
            books.keep(self._base, account, wall_ns)

    def hold(self, account: Account, wall_ns: int) -> None:
        """What is held, without waiting for the disk, because somebody waits for an answer.

        It outlives this process. A power cut may lose it, as a whole; whoever it was held for is then gone, too.
        """
        with self._named("cannot be written"):
            self._base.execute("PRAGMA synchronous = NORMAL")
        try:
            self.keep(account, wall_ns)
        finally:
            with self._named("cannot be written"):
                self._base.execute("PRAGMA synchronous = FULL")

    def keep(self, account: Account, wall_ns: int) -> None:
        """What moved, and what is held."""
        with self._writing():
            books.keep(self._base, account, wall_ns)

    def senses(self) -> Remembered:
        """What was sensed when that was last written; nothing before."""
        row = self._one("SELECT remembered FROM senses")
        return self._decoded(row[0], Remembered) if row else Remembered()

    def sensed(self, remembered: Remembered) -> None:
        with self._writing():
            self._base.execute("INSERT OR REPLACE INTO senses VALUES (1, ?)", (msgspec.msgpack.encode(remembered),))

    def learned(self, lessons: int) -> None:
        """There is so much to learn from."""
        with self._writing():
            self._base.execute("INSERT OR REPLACE INTO backlog VALUES (1, ?)", (lessons,))

    def _decoded(self, kept: bytes, type_: type[T]) -> T:
        try:
            return msgspec.msgpack.decode(kept, type=type_)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise StoreError(
                f"the controller's memory is damaged: {error}",
                place=str(self.path),
                remedy="move it away to begin anew; the books begin anew with it",
            ) from error

    def _one(self, query: str, values: tuple[str, ...] = ()) -> tuple[Any, ...] | None:
        with self._named("cannot be read"):
            row: tuple[Any, ...] | None = self._base.execute(query, values).fetchone()
            return row

    def _prepare(self) -> None:
        self._base.execute("PRAGMA journal_mode = WAL")
        self._base.execute("PRAGMA synchronous = FULL")
        (version,) = self._base.execute("PRAGMA user_version").fetchone()
        if version > SCHEMA:
            raise StoreError(
                f"was written by a newer program (tables {version}, this one knows {SCHEMA})",
                place=str(self.path),
                remedy="upgrade this program",
            )
        if version < SCHEMA:
            self._migrate()

    def _migrate(self) -> None:
        """Make the tables, or bring those of an older version up to date: all of it or nothing."""
        with self._writing():
            (version,) = self._base.execute("PRAGMA user_version").fetchone()
            for statement in (*(_FIRST if version == 0 else ()), *_SECOND):
                self._base.execute(statement)
            if version == 1:
                for (written,) in self._base.execute("SELECT balances FROM account").fetchall():
                    books.take_over(self._base, written)
                self._base.execute("DROP TABLE account")
            self._base.execute(f"PRAGMA user_version = {SCHEMA}")

    @contextmanager
    def _writing(self) -> Iterator[None]:
        with self._named("cannot be written"):
            self._base.execute("BEGIN IMMEDIATE")
            with self._base:
                yield

    @contextmanager
    def _named(self, what: str) -> Iterator[None]:
        try:
            yield
        except (OSError, sqlite3.Error) as error:
            raise StoreError(
                f"the controller's memory {what}: {error}",
                place=str(self.path),
                remedy="check that the disk has room; if the file is damaged, move it away to begin anew",
            ) from error
