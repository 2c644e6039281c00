"""Rows of the tables that rest on the entries, read and written. And the entries, as they stand.

Standings are sealed: they say which questions were asked again and again. Identities and rules are no secret.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from typing import Protocol

import msgspec

from nodes.trust_ledger.chain import Entry, Head
from nodes.trust_ledger.derived import Derived
from nodes.trust_ledger.reputation import Place, Rules
from nodes.trust_ledger.tables import COLUMNS
from nodes.trust_ledger.tensors import Standing
from protocol.lct import Lct
from protocol.messages.action import RulesAdopted

_standing = msgspec.msgpack.Decoder(Standing)
_lct = msgspec.msgpack.Decoder(Lct)


class Seal(Protocol):
    def seal(self, plain: bytes, context: bytes) -> bytes: ...
    def open(self, sealed: bytes, context: bytes) -> bytes: ...


def load(base: sqlite3.Connection, derived: Derived, sealer: Seal) -> None:
    """Fill `derived` from the tables. Raises `SealError` or `msgspec.DecodeError` where a row was changed."""
    for digest, text in base.execute("SELECT digest, text FROM rules ORDER BY entry"):
        derived.rules[digest] = msgspec.json.decode(text, type=Rules)
        derived.current = digest
    derived.identities.update(identities(base))
    derived.standings.update(standings(base, sealer))


def identities(base: sqlite3.Connection) -> Iterator[tuple[str, Lct]]:
    for ident, record in base.execute("SELECT id, record FROM identities"):
        yield ident, _lct.decode(record)


def standings(base: sqlite3.Connection, sealer: Seal) -> Iterator[tuple[Place, Standing]]:
    for subject, role, context, state in base.execute("SELECT subject, role, context, state FROM standings"):
        place = Place(subject, role, context)
        yield place, _standing.decode(sealer.open(state, _place(place)))


def keep_identities(base: sqlite3.Connection, changed: Mapping[str, Lct]) -> None:
    rows = [(ident, msgspec.msgpack.encode(lct)) for ident, lct in changed.items()]
    base.executemany("INSERT OR REPLACE INTO identities VALUES (?, ?)", rows)


def keep_standings(base: sqlite3.Connection, changed: Mapping[Place, Standing], sealer: Seal) -> None:
    rows = [
        (*place, sealer.seal(msgspec.msgpack.encode(standing), _place(place))) for place, standing in changed.items()
    ]
    base.executemany("INSERT OR REPLACE INTO standings VALUES (?, ?, ?, ?)", rows)


def keep_rules(base: sqlite3.Connection, entry: int, said: RulesAdopted) -> None:
    base.execute("INSERT INTO rules VALUES (?, ?, ?)", (entry, said.digest, said.text))


def entries(base: sqlite3.Connection, after: int = 0) -> Iterator[Entry]:
    """Entries as they stand, in order, from the one that follows number `after`."""
    rows = base.execute(f"SELECT {COLUMNS} FROM entries WHERE number > ? ORDER BY number", (after,))  # noqa: S608
    for row in rows:
        yield Entry(*row)


def entry(base: sqlite3.Connection, number: int) -> Entry | None:
    row = base.execute(f"SELECT {COLUMNS} FROM entries WHERE number = ?", (number,)).fetchone()  # noqa: S608
    return Entry(*row) if row else None


def insert(base: sqlite3.Connection, written: Entry) -> None:
    base.execute(
        f"INSERT INTO entries ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",  # noqa: S608
        msgspec.structs.astuple(written),
    )


def entry_digest(base: sqlite3.Connection, number: int) -> bytes | None:
    row = base.execute("SELECT digest FROM entries WHERE number = ?", (number,)).fetchone()
    return row[0] if row else None


def head(base: sqlite3.Connection) -> Head | None:
    row = base.execute("SELECT number, link, signature FROM head").fetchone()
    return Head(*row) if row else None


def _place(place: Place) -> bytes:
    return b"trust/standing:" + "\n".join(place).encode()
