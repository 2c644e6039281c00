"""What teachers said, kept on the disk beyond the dream, so that no version is asked the same twice.

A version fixes tokenizer and template, so words name the ids that were computed with. What was said is sealed; the
digests by which it is found are keyed, for a short question could be guessed from a plain one.
"""

from __future__ import annotations

import hmac
import os
from collections.abc import Iterable
from pathlib import Path

import msgspec

from nodes.dream_consolidator.collector.tables import open_database, wipe
from nodes.dream_consolidator.job import PURPOSE
from protocol.messages.model import Exercise, Solution
from runtime.paths import private_directory
from runtime.sealing import Sealer

_SCHEMA = """
CREATE TABLE IF NOT EXISTS secret (only INTEGER PRIMARY KEY CHECK (only = 1), sealed BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS said (
    digest BLOB PRIMARY KEY,
    used INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    sealed BLOB NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS said_used ON said (used);
CREATE TABLE IF NOT EXISTS asked (
    ident TEXT NOT NULL,
    digest BLOB NOT NULL REFERENCES said (digest) ON DELETE CASCADE,
    PRIMARY KEY (ident, digest)
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS asked_digest ON asked (digest);
CREATE TABLE IF NOT EXISTS counts (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;
"""
_SECRET = b"dream/cache/secret"
_COUNTS = ("hits", "misses", "evicted", "forgotten")


class TeacherCache:
    """Solutions in the file at `path`, at most `capacity` bytes of them: what was used longest ago goes first.

    The training process reads and writes it, the consolidator forgets; both may have it open.
    """

    def __init__(self, path: Path, sealer: Sealer, capacity: int) -> None:
        self._sealer = sealer
        self._capacity = capacity
        self._database = open_database(path, _SCHEMA)
        self._database.execute("PRAGMA foreign_keys = ON")
        # What was deleted must not be found in the file any more.
        self._database.execute("PRAGMA secure_delete = ON")
        self._secret = self._read_secret()

    def get(self, version: str, top_k: int, limit: int, asked: Iterable[tuple[str, Exercise]]) -> dict[str, Solution]:
        """Ident → what that version said to the exercise, of those that are kept."""
        found: dict[str, Solution] = {}
        missed = 0
        with self._database:
            for ident, exercise in asked:
                digest = self._digest(version, top_k, limit, exercise)
                row = self._database.execute("SELECT sealed FROM said WHERE digest = ?", (digest,)).fetchone()
                if row is None:
                    missed += 1
                    continue
                found[ident] = msgspec.msgpack.decode(self._sealer.open(row[0], _place(digest)), type=Solution)
                self._database.execute("UPDATE said SET used = ? WHERE digest = ?", (self._next(), digest))
                self._database.execute("INSERT OR IGNORE INTO asked VALUES (?, ?)", (ident, digest))
            self._count(hits=len(found), misses=missed)
        return found

    def put(self, version: str, top_k: int, limit: int, said: Iterable[tuple[str, Exercise, Solution]]) -> None:
        """Keep what that version said. On the disk when this returns, all or nothing."""
        with self._database:
            for ident, exercise, solution in said:
                digest = self._digest(version, top_k, limit, exercise)
                sealed = self._sealer.seal(msgspec.msgpack.encode(solution), _place(digest))
                # Not replaced: whoever else asked it stays known, so that it goes when theirs is forgotten.
                self._database.execute(
                    "INSERT INTO said VALUES (?, ?, ?, ?) ON CONFLICT (digest) DO UPDATE SET used = excluded.used, "
                    "bytes = excluded.bytes, sealed = excluded.sealed",
                    (digest, self._next(), len(sealed), sealed),
                )
                self._database.execute("INSERT OR IGNORE INTO asked VALUES (?, ?)", (ident, digest))
            self._count(evicted=self._evict())

    def answer(self, ident: str) -> str:
        """What a teacher answered to the exchange of this ident, the one asked last; empty where none did."""
        rows = self._database.execute(
            "SELECT digest, sealed FROM said JOIN asked USING (digest) WHERE ident = ? ORDER BY used DESC", (ident,)
        )
        for digest, sealed in rows.fetchall():
            said = msgspec.msgpack.decode(self._sealer.open(sealed, _place(digest)), type=Solution)
            if said.finished and not said.top_k:  # else it was shown an answer, and said what it thinks of that
                return said.text.strip()
        return ""

    def forget(self, idents: Iterable[str]) -> int:
        """Drop all that was said to the exchanges of these idents, by every version; how many entries that were.

        No byte of it is left when this returns. Raises sqlite3.OperationalError while a training process reads: end the
        dream first.
        """
        forgotten = 0
        with self._database:
            for ident in idents:
                forgotten += self._database.execute(
                    "DELETE FROM said WHERE digest IN (SELECT digest FROM asked WHERE ident = ?)", (ident,)
                ).rowcount
            self._count(forgotten=forgotten)
        if forgotten:
            wipe(self._database)
        return forgotten

    def stats(self) -> dict[str, float]:
        entries, size = self._database.execute("SELECT count(*), coalesce(sum(bytes), 0) FROM said").fetchone()
        counted = dict(self._database.execute("SELECT name, value FROM counts").fetchall())
        kept = {"entries": entries, "bytes": size, "capacity": self._capacity}
        return {**kept, **{name: counted.get(name, 0) for name in _COUNTS}}

    def close(self) -> None:
        self._database.close()

    def _evict(self) -> int:
        """Drop what was used longest ago until the rest fits; how many entries that were."""
        evicted = 0
        (size,) = self._database.execute("SELECT coalesce(sum(bytes), 0) FROM said").fetchone()
        while size > self._capacity:
            digest, freed = self._database.execute("SELECT digest, bytes FROM said ORDER BY used LIMIT 1").fetchone()
            self._database.execute("DELETE FROM said WHERE digest = ?", (digest,))
            size, evicted = size - freed, evicted + 1
        return evicted

    def _next(self) -> int:
        """Later than every use so far."""
        return int(self._database.execute("SELECT coalesce(max(used), 0) + 1 FROM said").fetchone()[0])

    def _count(self, **counts: int) -> None:
        for name, more in counts.items():
            self._database.execute(
                "INSERT INTO counts VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = value + excluded.value",
                (name, more),
            )

    def _digest(self, version: str, top_k: int, limit: int, exercise: Exercise) -> bytes:
        asked = msgspec.msgpack.encode((version, top_k, limit, exercise))
        return hmac.digest(self._secret, asked, "sha256")

    def _read_secret(self) -> bytes:
        with self._database:
            self._database.execute(
                "INSERT OR IGNORE INTO secret VALUES (1, ?)",
                (self._sealer.seal(os.urandom(32), b"dream/cache/secret"),),
            )
        (sealed,) = self._database.execute("SELECT sealed FROM secret").fetchone()
        return self._sealer.open(sealed, _SECRET)


def _place(digest: bytes) -> bytes:
    return b"dream/cache/" + digest


def opened(state_dir: Path, capacity: int) -> TeacherCache:
    """What teachers said on this host."""
    directory = private_directory(state_dir / "dream")
    return TeacherCache(directory / "teacher.sqlite", Sealer.load(state_dir, PURPOSE), capacity)
