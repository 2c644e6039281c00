"""The database of this room: SQLite, a commit is on the disk when it returns, what people said is sealed."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from protocol.errors import SageError

SCHEMA = 1


@dataclass(frozen=True)
class Tables:
    """What a database of this room holds. The version is kept in `user_version`."""

    version: int
    sql: str

    @property
    def script(self) -> str:
        return f"BEGIN;\n{self.sql}\nPRAGMA user_version = {self.version};\nCOMMIT;"


DIALOGUE = Tables(
    SCHEMA,
    """
CREATE TABLE outbox (
    number      INTEGER PRIMARY KEY AUTOINCREMENT,
    destination TEXT NOT NULL,
    key         TEXT NOT NULL,
    body        BLOB NOT NULL,
    attempts    INTEGER NOT NULL DEFAULT 0,
    refused     TEXT NOT NULL DEFAULT '',
    UNIQUE (destination, key)
) STRICT;
CREATE INDEX outbox_waiting ON outbox (destination, number) WHERE refused = '';
CREATE TABLE conversations (
    session    TEXT PRIMARY KEY,
    body       BLOB NOT NULL,
    changed_ns INTEGER NOT NULL
) STRICT;
CREATE TABLE traces (
    exchange TEXT PRIMARY KEY,
    trace    TEXT NOT NULL,
    session  TEXT NOT NULL,
    body     BLOB NOT NULL,
    at_ns    INTEGER NOT NULL
) STRICT;
CREATE INDEX traces_by_trace ON traces (trace);
""",
)


class StoreUnreadable(SageError):
    code = "dialogue.store"


_OF_THE_DISK = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_CANTOPEN,
    }
)


class StoreUnwritable(SageError):
    code = "dialogue.unwritable"


class Seal(Protocol):
    """`runtime.sealing.Sealer`, as far as this room needs one."""

    def seal(self, plain: bytes, context: bytes) -> bytes: ...
    def open(self, sealed: bytes, context: bytes) -> bytes: ...


class Store:
    """One connection, shared by the threads of one process, one transaction at a time."""

    def __init__(self, database: sqlite3.Connection, sealer: Seal, place: str = "") -> None:
        self.sealer = sealer
        self._place = place
        self._database = database
        self._lock = threading.RLock()

    @classmethod
    def open(cls, path: Path, sealer: Seal, tables: Tables = DIALOGUE) -> Store:
        """The database at `path`, made if missing. Raises `StoreUnreadable`."""
        path.touch(mode=0o600)
        database = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        try:
            _prepare(database, path, tables)
        except sqlite3.DatabaseError as error:
            database.close()
            raise StoreUnreadable(
                f"is no database of ours: {error}", place=str(path), remedy="move it away; a new one is made"
            ) from error
        except SageError:
            database.close()
            raise
        return cls(database, sealer, str(path))

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All that is written inside is on the disk when it ends, or nothing of it. Transactions may be nested."""
        with self._lock:
            if self._database.in_transaction:
                yield
                return
            self._execute("BEGIN IMMEDIATE")
            try:
                yield
                self._execute("COMMIT")
            except BaseException:
                if self._database.in_transaction:  # A full disk may have ended it already.
                    self._database.execute("ROLLBACK")
                raise

    def rows(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        with self._lock, closing(self._database.execute(query, values)) as cursor:
            return cursor.fetchall()

    def write(self, statement: str, *values: Any) -> int:
        """Run a statement, in its own transaction if there is none. Returns how many rows it changed."""
        with self.transaction(), closing(self._execute(statement, *values)) as cursor:
            return cursor.rowcount

    def _execute(self, statement: str, *values: Any) -> sqlite3.Cursor:
        """Raises `StoreUnwritable` where there is no room, or the disk fails."""
        try:
            return self._database.execute(statement, values)
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF not in _OF_THE_DISK:
                raise
            raise StoreUnwritable(
                f"cannot be written: {error}", place=self._place, remedy="make room on the disk, or check it"
            ) from error

    def close(self) -> None:
        with self._lock:
            self._database.close()


def _prepare(database: sqlite3.Connection, path: Path, tables: Tables) -> None:
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = FULL")
    (version,) = database.execute("PRAGMA user_version").fetchone()
    if version == 0:
        database.executescript(tables.script)
    elif version != tables.version:
        raise StoreUnreadable(
            f"has tables of version {version}, this program reads {tables.version}",
            place=str(path),
            remedy="start the program that wrote it",
        )
