"""The ledger on disk: SQLite, append-only, every entry chained and signed, its body sealed.

What `append` has returned is on the disk (WAL, synchronous=FULL). A second telling of the same outcome is answered with
the entry that it already has.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from functools import cache
from pathlib import Path
from typing import Protocol

import msgspec

from nodes.trust_ledger import chain
from nodes.trust_ledger.chain import GENESIS, Entry, Finding, Head
from protocol.errors import SageError, SealError
from protocol.lct import Lct
from protocol.messages.trust import Outcome

SCHEMA = 1
"""Version of the tables, kept in `user_version`."""

_TABLES = """
BEGIN;
CREATE TABLE entries (
    number    INTEGER PRIMARY KEY,
    key       TEXT NOT NULL UNIQUE,
    wall_ns   INTEGER NOT NULL,
    kind      TEXT NOT NULL,
    signer    TEXT NOT NULL,
    previous  BLOB NOT NULL,
    body      BLOB NOT NULL,
    digest    BLOB NOT NULL,
    signature BLOB NOT NULL
) STRICT;
CREATE TABLE head (
    only_one  INTEGER PRIMARY KEY CHECK (only_one = 1),
    number    INTEGER NOT NULL,
    link      BLOB NOT NULL,
    signature BLOB NOT NULL
) STRICT;
PRAGMA user_version = 1;
COMMIT;
"""
_COLUMNS = "number, key, wall_ns, kind, signer, previous, body, digest, signature"


class LedgerError(SageError):
    code = "trust.ledger"


class Signer(Protocol):
    """A host identity, as far as the ledger needs one."""

    lct: Lct

    def sign(self, message: bytes) -> bytes: ...
    def verify(self, message: bytes, signature: bytes) -> None: ...


class Seal(Protocol):
    def seal(self, plain: bytes, context: bytes) -> bytes: ...
    def open(self, sealed: bytes, context: bytes) -> bytes: ...


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    number: int
    wall_ns: int
    """When it was written down."""
    repeated: bool = False
    differs: bool = False
    """It was told before, and differently; the first telling stands."""


class Ledger:
    """One process writes it; any may read it with the host's keys."""

    def __init__(self, path: Path, identity: Signer, sealer: Seal) -> None:
        self.path = path
        self._identity = identity
        self._sealer = sealer
        self._signer = identity.lct.id
        self._base = _open(path)

    def close(self) -> None:
        self._base.close()

    def append(self, outcomes: Sequence[Outcome], wall_ns: int) -> list[Receipt]:
        """Write down what is new among `outcomes`, together, and say which entries they have. Durable on return."""
        try:
            self._base.execute("BEGIN IMMEDIATE")
            with self._base:
                number, last = self._end()
                receipts = []
                for outcome in outcomes:
                    receipt = self._repeated(outcome)
                    if receipt is None:
                        entry = self._entry(outcome, wall_ns, number + 1, last)
                        self._insert(entry)
                        number, last = entry.number, chain.link(entry.digest, entry.signature)
                        receipt = Receipt(number=number, wall_ns=wall_ns)
                    receipts.append(receipt)
                self._sign_head(number, last)
        except sqlite3.Error as error:
            raise self._broken(error) from error
        return receipts

    def entries(self, after: int = 0) -> Iterator[Entry]:
        """Entries as they stand, in order, from the one that follows number `after`."""
        try:
            yield from _entries(self._base, after)
        except sqlite3.Error as error:
            raise self._broken(error) from error

    def outcome(self, entry: Entry) -> Outcome:
        """What an entry says. Raises `SealError` where its body does not open."""
        return msgspec.msgpack.decode(self._sealer.open(entry.body, _context(entry.key)), type=Outcome)

    def count(self) -> int:
        """Number of the last entry."""
        return self._end()[0]

    def verify(self) -> list[Finding]:
        """Replay chain and signatures as they stand now; empty where all is as it was written.

        It reads over a connection of its own, so it may run in a thread while others append.
        """
        try:
            with closing(sqlite3.connect(f"{self.path.absolute().as_uri()}?mode=ro", uri=True)) as base:
                base.execute("BEGIN")
                return list(self._inspect(base))
        except sqlite3.Error as error:
            raise self._broken(error) from error

    def _inspect(self, base: sqlite3.Connection) -> Iterator[Finding]:
        @cache
        def links() -> frozenset[bytes]:
            return frozenset(chain.link(*row) for row in base.execute("SELECT digest, signature FROM entries"))

        row = base.execute("SELECT number, link, signature FROM head").fetchone()
        head = Head(*row) if row else None
        if not chain.intact(_entries(base, 0), head, self._identity.verify):
            yield from chain.inspect(_entries(base, 0), head, self._signer, self._identity.verify, links)

    def _end(self) -> tuple[int, bytes]:
        query = "SELECT number, digest, signature FROM entries ORDER BY number DESC LIMIT 1"
        row = self._base.execute(query).fetchone()
        return (row[0], chain.link(row[1], row[2])) if row else (0, GENESIS)

    def _repeated(self, outcome: Outcome) -> Receipt | None:
        query = "SELECT number, wall_ns, body FROM entries WHERE key = ?"
        row = self._base.execute(query, (key(outcome),)).fetchone()
        if row is None:
            return None
        number, wall_ns, body = row
        try:
            earlier = self._sealer.open(body, _context(key(outcome)))
        except SealError:  # `verify` names it; the outcome was told, and no second entry is made of it
            earlier = b""
        differs = earlier != msgspec.msgpack.encode(outcome)
        return Receipt(number=number, wall_ns=wall_ns, repeated=True, differs=differs)

    def _entry(self, outcome: Outcome, wall_ns: int, number: int, previous: bytes) -> Entry:
        named = key(outcome)
        content = Entry(
            number=number,
            key=named,
            wall_ns=wall_ns,
            kind="outcome",
            signer=self._signer,
            previous=previous,
            body=self._sealer.seal(msgspec.msgpack.encode(outcome), _context(named)),
        )
        digest = chain.digest(content)
        signature = self._identity.sign(chain.entry_statement(digest))
        return msgspec.structs.replace(content, digest=digest, signature=signature)

    def _insert(self, entry: Entry) -> None:
        self._base.execute(
            f"INSERT INTO entries ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",  # noqa: S608
            msgspec.structs.astuple(entry),
        )

    def _sign_head(self, number: int, last: bytes) -> None:
        signature = self._identity.sign(chain.head_statement(number, last))
        self._base.execute("INSERT OR REPLACE INTO head VALUES (1, ?, ?, ?)", (number, last, signature))

    def _broken(self, error: sqlite3.Error) -> LedgerError:
        return LedgerError(
            f"the ledger cannot be used: {error}",
            place=str(self.path),
            remedy="check that the disk has room; restore the file from a backup if it is damaged",
        )


def key(outcome: Outcome) -> str:
    """What an outcome is told once for: a level's part in an exchange."""
    return f"{outcome.exchange}/{outcome.level}"


def _context(named: str) -> bytes:
    return b"trust:" + named.encode()


def _entries(base: sqlite3.Connection, after: int) -> Iterator[Entry]:
    rows = base.execute(f"SELECT {_COLUMNS} FROM entries WHERE number > ? ORDER BY number", (after,))  # noqa: S608
    for row in rows:
        yield Entry(*row)


def _open(path: Path) -> sqlite3.Connection:
    """The database at `path`, made with mode 0600 on the first run."""
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        base = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    except (OSError, sqlite3.Error) as error:
        raise _unusable(path, error) from error
    try:
        version = _prepare(base)
    except sqlite3.Error as error:
        base.close()
        raise _unusable(path, error) from error
    if version > SCHEMA:
        base.close()
        raise LedgerError(
            f"was written by a newer program (tables {version}, this one knows {SCHEMA})",
            place=str(path),
            remedy="upgrade this program",
        )
    return base


def _prepare(base: sqlite3.Connection) -> int:
    """Make the tables where there are none; the version of those there were."""
    base.execute("PRAGMA journal_mode = WAL")
    base.execute("PRAGMA synchronous = FULL")
    version: int = base.execute("PRAGMA user_version").fetchone()[0]
    if version == 0:
        base.executescript(_TABLES)
    return version


def _unusable(path: Path, error: Exception) -> LedgerError:
    return LedgerError(
        f"cannot be opened as a trust ledger: {error}",
        place=str(path),
        remedy="restore it from a backup, or move it away to begin a new one",
    )
