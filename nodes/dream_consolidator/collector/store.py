"""The store of examples: SQLite, what people said sealed, never more than its capacity.

In the clear stand only level, context, cluster, salience and times; questions, answers and sessions are sealed, and
digests are keyed by a secret that is sealed itself.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from nodes.dream_consolidator.collector.examples import Example, conversation_digest, from_offer, lot, revised_by, unfit
from nodes.dream_consolidator.settings import Collect
from protocol.messages.dream import Keep, Kept, Revise, Revised
from runtime.sealing import Sealer

if TYPE_CHECKING:
    import sqlite3

_SCHEMA = """
CREATE TABLE IF NOT EXISTS secret (only INTEGER PRIMARY KEY CHECK (only = 1), sealed BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS example (
    exchange TEXT PRIMARY KEY,
    digest TEXT NOT NULL UNIQUE,
    stratum TEXT NOT NULL,
    lot REAL NOT NULL,
    level TEXT NOT NULL,
    salience REAL NOT NULL,
    received_ns INTEGER NOT NULL,
    sealed BLOB NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS example_stratum ON example (stratum, lot);
"""


class Collector:
    """Examples in `path`. One process writes; every answer it gives is on disk."""

    def __init__(self, path: Path, sealer: Sealer, settings: Collect) -> None:
        self._sealer = sealer
        self._settings = settings
        self._database = open_database(path, _SCHEMA)
        self.secret = self._read_secret()
        self._held = int(self._database.execute("SELECT count(*) FROM example").fetchone()[0])
        self.latest_ns = int(self._database.execute("SELECT coalesce(max(received_ns), 0) FROM example").fetchone()[0])
        """When the last one came: a wall time that never falls, whatever the clock does."""
        self._counts = {"kept": 0, "refused": 0, "repeated": 0, "duplicates": 0, "evicted": 0, "revised": 0}

    def offer(self, keep: Keep, received_ns: int) -> Kept:
        """Keep the exchange if it is worth it; say why or why not. The same exchange offered again changes nothing."""
        if self._has("exchange", keep.exchange):
            return self._reply(keep, True, "already kept", "repeated")
        why = unfit(keep)
        if why:
            return self._reply(keep, False, why, "refused")
        chosen, why = worth_keeping(keep, self._settings, lot(self.secret, "sample", keep.exchange))
        if not chosen:
            return self._reply(keep, False, why, "refused")
        mark = conversation_digest(self.secret, keep.messages, keep.answer)
        if self._has("digest", mark):
            return self._reply(keep, False, "the same question was answered the same before", "duplicates")
        received_ns = self.latest_ns = max(received_ns, self.latest_ns + 1)
        with self._database:
            self._insert(from_offer(keep, received_ns), mark)
            evicted = self._evict(self._held + 1)
        self._held += 1 - len(evicted)
        if keep.exchange in evicted:
            return self._reply(keep, False, "its stratum is full, and the lot fell on it", "evicted")
        self._counts["evicted"] += len(evicted)
        return self._reply(keep, True, why, "kept")

    def revise(self, revise: Revise) -> Revised:
        """Take in what was learned of a kept exchange later. One that is not kept, or knows it already, stays so."""
        found = self._find(revise.exchange)
        if found is None:
            return Revised(exchange=revise.exchange, revised=False, why="it is not kept")
        revised = revised_by(found, revise)
        if revised == found:
            return Revised(exchange=revise.exchange, revised=False, why="nothing changed")
        with self._database:
            self._database.execute(
                "UPDATE example SET salience = ?, sealed = ? WHERE exchange = ?",
                (revised.salience, self._sealed(revised), revised.exchange),
            )
        self._counts["revised"] += 1
        return Revised(exchange=revise.exchange, revised=True, why=f"salience {revised.salience:.2f}")

    def examples(self) -> list[Example]:
        """All of them, oldest first. Raises `SealError` where one was changed on disk."""
        rows = self._database.execute("SELECT exchange, sealed FROM example ORDER BY received_ns, exchange")
        return [self._opened(exchange, sealed) for exchange, sealed in rows]

    @property
    def count(self) -> int:
        """How many are kept. Costs nothing: it is asked with every heartbeat."""
        return self._held

    def received_since(self, moment_ns: int) -> int:
        """How many came after the moment, which was `latest_ns` once."""
        query = "SELECT count(*) FROM example WHERE received_ns > ?"
        return int(self._database.execute(query, (moment_ns,)).fetchone()[0])

    def stats(self) -> dict[str, float]:
        return {"examples": self.count, "capacity": self._settings.capacity, **self._counts}

    def close(self) -> None:
        self._database.close()

    def _insert(self, example: Example, mark: str) -> None:
        self._database.execute(
            "INSERT INTO example VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                example.exchange,
                mark,
                example.stratum,
                lot(self.secret, "evict", example.exchange),
                example.level,
                example.salience,
                example.received_ns,
                self._sealed(example),
            ),
        )

    def _find(self, exchange: str) -> Example | None:
        row = self._database.execute("SELECT sealed FROM example WHERE exchange = ?", (exchange,)).fetchone()
        return self._opened(exchange, row[0]) if row else None

    def _sealed(self, example: Example) -> bytes:
        return self._sealer.seal(msgspec.msgpack.encode(example), _place(example.exchange))

    def _opened(self, exchange: str, sealed: bytes) -> Example:
        return msgspec.msgpack.decode(self._sealer.open(sealed, _place(exchange)), type=Example)

    def _evict(self, held: int) -> set[str]:
        """Bring the store from `held` examples down to its capacity; which ones had to go.

        The fullest stratum gives up what has the lowest lot. Lots are uniform and fixed, so what stays of a stratum is
        a uniform sample of all that ever came (a reservoir).
        """
        evicted = set()
        for _ in range(held - self._settings.capacity):
            (victim,) = self._database.execute(
                "SELECT exchange FROM example WHERE stratum = "
                "(SELECT stratum FROM example GROUP BY stratum ORDER BY count(*) DESC, stratum LIMIT 1) "
                "ORDER BY lot LIMIT 1"
            ).fetchone()
            self._database.execute("DELETE FROM example WHERE exchange = ?", (victim,))
            evicted.add(victim)
        return evicted

    def _reply(self, keep: Keep, kept: bool, why: str, counted: str) -> Kept:
        self._counts[counted] += 1
        return Kept(exchange=keep.exchange, kept=kept, why=why, examples=self.count)

    def _has(self, column: str, value: str) -> bool:
        query = f"SELECT 1 FROM example WHERE {column} = ?"  # noqa: S608 - the column is a literal of this module
        return self._database.execute(query, (value,)).fetchone() is not None

    def _read_secret(self) -> bytes:
        with self._database:
            self._database.execute(
                "INSERT OR IGNORE INTO secret VALUES (1, ?)", (self._sealer.seal(os.urandom(32), b"dream/secret"),)
            )
        (sealed,) = self._database.execute("SELECT sealed FROM secret").fetchone()
        return self._sealer.open(sealed, b"dream/secret")


def worth_keeping(keep: Keep, settings: Collect, draw: float) -> tuple[bool, str]:
    """Whether to keep an exchange, and why. `draw` is uniform in [0, 1)."""
    if keep.snarc.salience >= settings.salience:
        return True, f"salience {keep.snarc.salience:.2f}"
    if draw < settings.sample:
        return True, "drawn as a sample of what is not salient"
    return False, f"salience {keep.snarc.salience:.2f} is below {settings.salience:.2f}"


def open_database(path: Path, schema: str) -> sqlite3.Connection:
    """A database of this process: write-ahead log, a commit is on disk when it returns, mode 0600."""
    import sqlite3

    path.touch(mode=0o600)
    database = sqlite3.connect(path)
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = FULL")
    database.executescript(schema)
    return database


def _place(exchange: str) -> bytes:
    return b"dream/example/" + exchange.encode()
