"""What lies in a vault, in SQLite: found by name, counted, weighed.

It holds nothing that the files do not, so it can be made again from them.
"""

import sqlite3
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

SCHEMA = 2
_TABLES = f"""
BEGIN;
CREATE TABLE chunks (
    address   TEXT PRIMARY KEY,
    model     TEXT NOT NULL,
    name      BLOB NOT NULL,
    parent    TEXT NOT NULL,
    exactness INTEGER NOT NULL,
    tokens    INTEGER NOT NULL,
    bytes     INTEGER NOT NULL,
    used_ns   INTEGER NOT NULL
) STRICT;
CREATE INDEX chunks_by_name ON chunks (model, name);
CREATE INDEX chunks_by_parent ON chunks (parent);
CREATE TABLE sessions (
    file    TEXT PRIMARY KEY,
    model   TEXT NOT NULL,
    person  BLOB NOT NULL,
    "end"   TEXT NOT NULL,
    bytes   INTEGER NOT NULL,
    used_ns INTEGER NOT NULL,
    written_ns INTEGER NOT NULL
) STRICT;
CREATE INDEX sessions_by_end ON sessions ("end");
CREATE INDEX sessions_by_person ON sessions (person);
PRAGMA user_version = {SCHEMA};
COMMIT;
"""
_LOOSE = """
SELECT address, bytes FROM chunks AS chunk
WHERE NOT EXISTS (SELECT 1 FROM chunks WHERE parent = chunk.address)
  AND NOT EXISTS (SELECT 1 FROM sessions WHERE "end" = chunk.address)
ORDER BY used_ns LIMIT 64
"""


@dataclass(frozen=True)
class ChunkRow:
    address: str
    model: str
    name: bytes
    """Keyed hash of all token ids up to the chunk's end."""
    parent: str
    exactness: int
    tokens: int
    bytes: int
    used_ns: int


@dataclass(frozen=True)
class SessionRow:
    file: str
    model: str
    person: bytes
    """Keyed hash of the session's name."""
    end: str
    bytes: int
    used_ns: int
    written_ns: int
    """Of the file: whether it is still the one that this row tells of."""


class Index:
    """One connection, shared by the threads of a process; other processes may have theirs."""

    def __init__(self, path: Path) -> None:
        """Raises sqlite3.DatabaseError where the file is no index of ours."""
        path.touch(mode=0o600)
        self._lock = threading.RLock()
        self._database = sqlite3.connect(path, check_same_thread=False, isolation_level=None, timeout=10)
        try:
            self._prepare()
        except BaseException:
            self._database.close()
            raise

    def _prepare(self) -> None:
        self._database.execute("PRAGMA journal_mode = WAL")
        self._database.execute("PRAGMA synchronous = NORMAL")  # what a crash takes, the files give back
        (version,) = self._database.execute("PRAGMA user_version").fetchone()
        if version == 0:
            self._database.executescript(_TABLES)
        elif version != SCHEMA:
            raise sqlite3.DatabaseError(f"tables of version {version}, this program reads {SCHEMA}")

    def put_chunk(self, row: ChunkRow) -> None:
        self._write(
            "INSERT OR REPLACE INTO chunks VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (row.address, row.model, row.name, row.parent, row.exactness, row.tokens, row.bytes, row.used_ns),
        )

    def put_session(self, row: SessionRow) -> None:
        self._write(
            "INSERT OR REPLACE INTO sessions VALUES (?, ?, ?, ?, ?, ?, ?)",
            (row.file, row.model, row.person, row.end, row.bytes, row.used_ns, row.written_ns),
        )

    def remove_chunk(self, address: str) -> None:
        self._write("DELETE FROM chunks WHERE address = ?", (address,))

    def remove_session(self, file: str) -> None:
        self._write("DELETE FROM sessions WHERE file = ?", (file,))

    def touch(self, addresses: Iterable[str], used_ns: int) -> None:
        with self._lock, self._database:
            self._database.executemany(
                "UPDATE chunks SET used_ns = ? WHERE address = ?", [(used_ns, address) for address in addresses]
            )

    def named(self, model: str, name: bytes) -> list[ChunkRow]:
        """Chunks that end a conversation of this name, the truest first."""
        found = self._rows("SELECT * FROM chunks WHERE model = ? AND name = ? ORDER BY exactness DESC", (model, name))
        return [ChunkRow(*row) for row in found]

    def chunk(self, address: str) -> ChunkRow | None:
        found = self._rows("SELECT * FROM chunks WHERE address = ?", (address,))
        return ChunkRow(*found[0]) if found else None

    def chunks(self) -> list[ChunkRow]:
        return [ChunkRow(*row) for row in self._rows("SELECT * FROM chunks")]

    def sessions(self) -> list[SessionRow]:
        """The least recently used first."""
        return [SessionRow(*row) for row in self._rows("SELECT * FROM sessions ORDER BY used_ns")]

    def session(self, file: str) -> SessionRow | None:
        found = self._rows("SELECT * FROM sessions WHERE file = ?", (file,))
        return SessionRow(*found[0]) if found else None

    def sessions_of(self, person: bytes) -> list[SessionRow]:
        found = self._rows("SELECT * FROM sessions WHERE person = ? ORDER BY used_ns DESC", (person,))
        return [SessionRow(*row) for row in found]

    def loose(self) -> list[tuple[str, int]]:
        """(address, bytes) of some chunks on which nothing rests, the least recently used first."""
        return self._rows(_LOOSE)

    def is_loose(self, address: str) -> bool:
        query = 'SELECT 1 FROM chunks WHERE parent = ? UNION ALL SELECT 1 FROM sessions WHERE "end" = ? LIMIT 1'
        return not self._rows(query, (address, address))

    def nbytes(self) -> int:
        ((chunks, sessions),) = self._rows(
            "SELECT (SELECT ifnull(sum(bytes), 0) FROM chunks), (SELECT ifnull(sum(bytes), 0) FROM sessions)"
        )
        return int(chunks + sessions)

    def close(self) -> None:
        with self._lock:
            self._database.close()

    def _write(self, statement: str, values: tuple[object, ...]) -> None:
        with self._lock:
            self._database.execute(statement, values)

    def _rows(self, query: str, values: tuple[object, ...] = ()) -> list[tuple]:  # type: ignore[type-arg]
        with self._lock:
            return self._database.execute(query, values).fetchall()
