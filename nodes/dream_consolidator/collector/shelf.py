"""Examples as rows: sealed when they are written, opened when they are read. Decides nothing."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from nodes.dream_consolidator.collector.examples import Example, digest
from nodes.dream_consolidator.collector.reservoir import Place
from nodes.dream_consolidator.collector.tables import open_tables, wipe
from runtime.sealing import Sealer


class Met(NamedTuple):
    """An exchange that an example stands for."""

    exchange: str
    example: int | None
    """None: the store has given its example up."""
    session: str
    """Keyed digest; empty where it is not known."""
    met_ns: int


class Keys(NamedTuple):
    """By what an example is found again."""

    mark: str
    bands: Sequence[int]


class Shelf:
    """The rows in the database at `path`. `writing()` makes one change of several; nothing else is."""

    def __init__(self, path: Path, sealer: Sealer) -> None:
        self._sealer = sealer
        self._database = open_tables(path)
        self.secret = self._read_secret()

    def writing(self) -> AbstractContextManager[Any]:
        return self._database

    def add(self, example: Example, keys: Keys, lot: float) -> int:
        cursor = self._database.execute(
            "INSERT INTO example (exchange, mark, stratum, lot, level, salience, received_ns, sealed) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                example.exchange,
                keys.mark,
                example.stratum,
                lot,
                example.level,
                example.salience,
                example.received_ns,
                self._sealed(example),
            ),
        )
        assert cursor.lastrowid is not None
        self._add_bands(cursor.lastrowid, keys)
        return cursor.lastrowid

    def rewrite(self, ident: int, example: Example) -> None:
        """The same row with what is known now; its place among the others stays."""
        self._database.execute(
            "UPDATE example SET exchange = ?, level = ?, salience = ?, sealed = ? WHERE id = ?",
            (example.exchange, example.level, example.salience, self._sealed(example), ident),
        )

    def rekey(self, ident: int, keys: Keys) -> None:
        self._database.execute("UPDATE example SET mark = ? WHERE id = ?", (keys.mark, ident))
        self._database.execute("DELETE FROM near WHERE example = ?", (ident,))
        self._add_bands(ident, keys)

    def unkey(self) -> None:
        """Let nothing be found until it is keyed anew."""
        self._database.execute("UPDATE example SET mark = '?' || id")
        self._database.execute("DELETE FROM near")

    def note_met(self, exchange: str, ident: int, session: str, met_ns: int) -> None:
        row = (exchange, ident, self.session_digest(session), met_ns)
        self._database.execute("INSERT INTO met VALUES (?, ?, ?, ?)", row)

    def reassign(self, ident: int, other: int) -> None:
        """What was met as `ident` was met as `other`."""
        self._database.execute("UPDATE met SET example = ? WHERE example = ?", (other, ident))

    def remove(self, idents: Iterable[int]) -> None:
        self._database.executemany("DELETE FROM example WHERE id = ?", [(ident,) for ident in idents])

    def met(self, exchange: str) -> Met | None:
        row = self._database.execute("SELECT * FROM met WHERE exchange = ?", (exchange,)).fetchone()
        return Met(*row) if row else None

    def all_met(self) -> dict[int | None, list[Met]]:
        """By example; under None what the store has given up."""
        found: dict[int | None, list[Met]] = defaultdict(list)
        for row in self._database.execute("SELECT * FROM met ORDER BY met_ns, exchange"):
            met = Met(*row)
            found[met.example].append(met)
        return found

    def marked(self, mark: str) -> int | None:
        row = self._database.execute("SELECT id FROM example WHERE mark = ?", (mark,)).fetchone()
        return row[0] if row else None

    def near(self, bands: Sequence[int]) -> list[int]:
        """Those that have one of the bands, the oldest first."""
        query = f"SELECT DISTINCT example FROM near WHERE band IN ({_places(bands)}) ORDER BY example"  # noqa: S608
        return [ident for (ident,) in self._database.execute(query, bands)]

    def read(self, ident: int) -> Example:
        """Raises `SealError` where it was changed on disk."""
        query = "SELECT exchange, sealed, (SELECT count(*) FROM met WHERE example = id) FROM example WHERE id = ?"
        return self._opened(*self._database.execute(query, (ident,)).fetchone())

    def read_all(self) -> Iterator[tuple[int, Example]]:
        """The oldest first. Raises `SealError` where one was changed on disk."""
        rows = self._database.execute(
            "SELECT id, exchange, sealed, (SELECT count(*) FROM met WHERE example = id) FROM example "
            "ORDER BY received_ns, exchange"
        )
        for ident, *row in rows.fetchall():
            yield ident, self._opened(*row)

    def rows(self) -> list[tuple[int, str, str, str, float, int, int]]:
        """What stands in the clear: id, exchange, level, stratum, salience, when it came, how often it was met."""
        return self._database.execute(
            "SELECT id, exchange, level, stratum, salience, received_ns, "
            "(SELECT count(*) FROM met WHERE example = id) FROM example ORDER BY received_ns, exchange"
        ).fetchall()

    def places(self) -> Iterator[Place]:
        return (Place(*row) for row in self._database.execute("SELECT stratum, lot, id FROM example"))

    def floors(self) -> dict[str, float]:
        return dict(self._database.execute("SELECT stratum, lot FROM floor").fetchall())

    def raise_floors(self, given_up: Iterable[Place]) -> None:
        floors = [(place.stratum, place.lot) for place in given_up]
        self._database.executemany("INSERT OR REPLACE INTO floor VALUES (?, ?)", floors)

    def drop_floors(self) -> None:
        self._database.execute("DELETE FROM floor")

    def forget(self, exchanges: Collection[str]) -> None:
        """Drop what is known of the exchanges, but that what was made from them is still to be told."""
        rows = [(exchange,) for exchange in exchanges]
        self._database.executemany("DELETE FROM met WHERE exchange = ?", rows)
        self._database.executemany("INSERT OR IGNORE INTO forgotten VALUES (?)", rows)

    def forgotten(self) -> list[str]:
        return [exchange for (exchange,) in self._database.execute("SELECT exchange FROM forgotten")]

    def told(self, exchanges: Iterable[str]) -> None:
        self._database.executemany("DELETE FROM forgotten WHERE exchange = ?", [(each,) for each in exchanges])

    def rules(self) -> str:
        row = self._database.execute("SELECT digest FROM rules").fetchone()
        return row[0] if row else ""

    def note_rules(self, rules: str) -> None:
        self._database.execute("INSERT OR REPLACE INTO rules VALUES (1, ?)", (rules,))

    def latest_ns(self) -> int:
        return int(self._database.execute("SELECT coalesce(max(received_ns), 0) FROM example").fetchone()[0])

    def received_since(self, moment_ns: int) -> int:
        query = "SELECT count(*) FROM example WHERE received_ns > ?"
        return int(self._database.execute(query, (moment_ns,)).fetchone()[0])

    def session_digest(self, session: str) -> str:
        return digest(self.secret, "session", session) if session else ""

    def wipe(self) -> None:
        """Leave no byte of what was deleted, in the database or in its log."""
        wipe(self._database)

    def close(self) -> None:
        self._database.close()

    def _add_bands(self, ident: int, keys: Keys) -> None:
        self._database.executemany("INSERT OR IGNORE INTO near VALUES (?, ?)", [(band, ident) for band in keys.bands])

    def _sealed(self, example: Example) -> bytes:
        return self._sealer.seal(msgspec.msgpack.encode(example), _place(example.exchange))

    def _opened(self, exchange: str, sealed: bytes, met: int) -> Example:
        example = msgspec.msgpack.decode(self._sealer.open(sealed, _place(exchange)), type=Example)
        return msgspec.structs.replace(example, met=met)

    def _read_secret(self) -> bytes:
        with self._database:
            self._database.execute(
                "INSERT OR IGNORE INTO secret VALUES (1, ?)", (self._sealer.seal(os.urandom(32), b"dream/secret"),)
            )
        (sealed,) = self._database.execute("SELECT sealed FROM secret").fetchone()
        return self._sealer.open(sealed, b"dream/secret")


def _place(exchange: str) -> bytes:
    return b"dream/example/" + exchange.encode()


def _places(values: Sequence[object]) -> str:
    return ", ".join("?" * len(values))
