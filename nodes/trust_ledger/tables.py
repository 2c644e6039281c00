"""The tables of a ledger's file, and how those of an earlier version become these, without losing anything.

| version | what it added |
|---|---|
| 1 | `entries` and `head` |
| 2 | `content` of an entry; `rules`, `identities` and `standings`, which rest on the entries; entries of other hosts |

Entries are never rewritten: they are signed as they are. Those of version 1 are read as what they say. What actions
came to tell later (why a level was chosen) is left out of the bytes where it says nothing, so no table changes for it.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from pathlib import Path

from protocol.errors import SageError

SCHEMA = 2
"""Version of the tables, kept in `user_version`."""

COLUMNS = "number, key, wall_ns, kind, signer, previous, body, digest, signature, content"

_FIRST = (
    """CREATE TABLE entries (
        number    INTEGER PRIMARY KEY,
        key       TEXT NOT NULL UNIQUE,
        wall_ns   INTEGER NOT NULL,
        kind      TEXT NOT NULL,
        signer    TEXT NOT NULL,
        previous  BLOB NOT NULL,
        body      BLOB NOT NULL,
        digest    BLOB NOT NULL,
        signature BLOB NOT NULL
    ) STRICT""",
    """CREATE TABLE head (
        only_one  INTEGER PRIMARY KEY CHECK (only_one = 1),
        number    INTEGER NOT NULL,
        link      BLOB NOT NULL,
        signature BLOB NOT NULL
    ) STRICT""",
)
_SECOND = (
    "ALTER TABLE entries ADD COLUMN content BLOB",
    "CREATE TABLE rules (entry INTEGER PRIMARY KEY, digest TEXT NOT NULL, text TEXT NOT NULL) STRICT",
    "CREATE TABLE identities (id TEXT PRIMARY KEY, record BLOB NOT NULL) STRICT, WITHOUT ROWID",
    """CREATE TABLE standings (
        subject TEXT NOT NULL,
        role    TEXT NOT NULL,
        context TEXT NOT NULL,
        state   BLOB NOT NULL,
        PRIMARY KEY (subject, role, context)
    ) STRICT, WITHOUT ROWID""",
    """CREATE TABLE origins (
        id        TEXT PRIMARY KEY,
        record    BLOB NOT NULL,
        number    INTEGER NOT NULL,
        link      BLOB NOT NULL,
        signature BLOB NOT NULL
    ) STRICT""",
    """CREATE TABLE foreign_entries (
        origin    TEXT NOT NULL REFERENCES origins (id),
        number    INTEGER NOT NULL,
        key       TEXT NOT NULL,
        wall_ns   INTEGER NOT NULL,
        kind      TEXT NOT NULL,
        signer    TEXT NOT NULL,
        previous  BLOB NOT NULL,
        body      BLOB NOT NULL,
        digest    BLOB NOT NULL,
        signature BLOB NOT NULL,
        content   BLOB,
        said      BLOB NOT NULL,
        PRIMARY KEY (origin, number)
    ) STRICT, WITHOUT ROWID""",
)


class LedgerError(SageError):
    code = "trust.ledger"


def open_base(path: Path, adopt: Callable[[sqlite3.Connection], None]) -> sqlite3.Connection:
    """The database at `path`, made with mode 0600 on the first run and brought up to date on later ones.

    `adopt` fills the tables that rest on the entries where those were written before there were such tables. All of a
    migration is done, or nothing of it. Raises `LedgerError`.
    """
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        base = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    except (OSError, sqlite3.Error) as error:
        raise _unusable(path, error) from error
    try:
        base.execute("PRAGMA journal_mode = WAL")
        base.execute("PRAGMA synchronous = FULL")
        _bring_up_to_date(path, base, adopt)
    except sqlite3.Error as error:
        base.close()
        raise _unusable(path, error) from error
    except BaseException:
        base.close()
        raise
    return base


def open_reading(path: Path) -> sqlite3.Connection:
    """A connection that only reads, and sees the file as it was when its transaction began."""
    base = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None)
    base.execute("BEGIN")
    return base


def _bring_up_to_date(path: Path, base: sqlite3.Connection, adopt: Callable[[sqlite3.Connection], None]) -> None:
    version = _version(base)
    if version > SCHEMA:
        raise LedgerError(
            f"was written by a newer program (tables {version}, this one knows {SCHEMA})",
            place=str(path),
            remedy="upgrade this program",
        )
    if version < SCHEMA:
        _migrate(base, adopt)


def _migrate(base: sqlite3.Connection, adopt: Callable[[sqlite3.Connection], None]) -> None:
    base.execute("BEGIN IMMEDIATE")
    with base:
        version = _version(base)  # another process may have been faster
        for statement in (*(_FIRST if version < 1 else ()), *(_SECOND if version < 2 else ())):
            base.execute(statement)
        if version == 1:
            adopt(base)
        base.execute(f"PRAGMA user_version = {SCHEMA}")


def _version(base: sqlite3.Connection) -> int:
    version: int = base.execute("PRAGMA user_version").fetchone()[0]
    return version


def _unusable(path: Path, error: Exception) -> LedgerError:
    return LedgerError(
        f"cannot be opened as a trust ledger: {error}",
        place=str(path),
        remedy="restore it from a backup, or move it away to begin a new one",
    )
