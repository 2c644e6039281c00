"""The tables of the store of examples, and how those of an earlier version become this one's.

Nothing that anybody said stands in the clear: level, stratum, salience, times, and digests under a secret that is
sealed itself.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from protocol.errors import ConfigError

if TYPE_CHECKING:
    import sqlite3

VERSION = 1
"""Of the tables, kept in `user_version`. 0 were examples alone, each with the digest of its very words."""

_TABLES = """
CREATE TABLE secret (only INTEGER PRIMARY KEY CHECK (only = 1), sealed BLOB NOT NULL);
CREATE TABLE example (
    id INTEGER PRIMARY KEY,
    exchange TEXT NOT NULL UNIQUE,
    mark TEXT NOT NULL UNIQUE,
    stratum TEXT NOT NULL,
    lot REAL NOT NULL,
    level TEXT NOT NULL,
    salience REAL NOT NULL,
    received_ns INTEGER NOT NULL,
    sealed BLOB NOT NULL
) STRICT;
CREATE INDEX example_received ON example (received_ns);
-- Every exchange that an example stands for or stood for: without one, the store gave its example up.
CREATE TABLE met (
    exchange TEXT PRIMARY KEY,
    example INTEGER REFERENCES example ON DELETE SET NULL,
    session TEXT NOT NULL,
    met_ns INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX met_example ON met (example);
CREATE TABLE near (
    band INTEGER NOT NULL,
    example INTEGER NOT NULL REFERENCES example ON DELETE CASCADE,
    PRIMARY KEY (band, example)
) STRICT, WITHOUT ROWID;
CREATE INDEX near_example ON near (example);
CREATE TABLE floor (stratum TEXT PRIMARY KEY, lot REAL NOT NULL) STRICT;
-- Removed exchanges whose derivatives are still to be told.
CREATE TABLE forgotten (exchange TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;
CREATE TABLE rules (only INTEGER PRIMARY KEY CHECK (only = 1), digest TEXT NOT NULL) STRICT;
"""

# What version 0 held, with its lots and its order, so that the sample stays the same.
_SET_ASIDE = """
ALTER TABLE secret RENAME TO secret_0;
ALTER TABLE example RENAME TO example_0;
"""
_TAKE_OVER = """
INSERT INTO secret SELECT only, sealed FROM secret_0;
INSERT INTO example (exchange, mark, stratum, lot, level, salience, received_ns, sealed)
    SELECT exchange, digest, stratum, lot, level, salience, received_ns, sealed FROM example_0
    ORDER BY received_ns, exchange;
INSERT INTO met SELECT exchange, id, '', received_ns FROM example;
DROP TABLE secret_0;
DROP TABLE example_0;
"""


def open_database(path: Path, schema: str = "") -> sqlite3.Connection:
    """A database of this process: write-ahead log, a commit is on disk when it returns, mode 0600."""
    import sqlite3

    path.touch(mode=0o600)
    database = sqlite3.connect(path)
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = FULL")
    database.executescript(schema)
    return database


def open_tables(path: Path) -> sqlite3.Connection:
    """The store's tables, made or brought up to date. What is deleted from them is overwritten."""
    database = open_database(path, "PRAGMA foreign_keys = ON; PRAGMA secure_delete = ON;")
    (version,) = database.execute("PRAGMA user_version").fetchone()
    if version > VERSION:
        database.close()
        raise ConfigError(
            f"was written by a newer program (tables {version}, this one knows {VERSION})",
            place=str(path),
            remedy="upgrade this program",
        )
    if version < VERSION:
        old = database.execute("SELECT 1 FROM sqlite_master WHERE name = 'example'").fetchone() is not None
        made = f"{_SET_ASIDE}{_TABLES}{_TAKE_OVER}" if old else _TABLES
        database.executescript(f"BEGIN IMMEDIATE; {made} PRAGMA user_version = {VERSION}; COMMIT;")
    return database


def wipe(database: sqlite3.Connection) -> None:
    """Write the database anew without what was deleted, and empty its log: no byte of it is left in either."""
    database.execute("VACUUM")
    (busy, _, _) = database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    if busy:
        import sqlite3

        raise sqlite3.OperationalError("the store is being read by somebody else: what was deleted is still in its log")
