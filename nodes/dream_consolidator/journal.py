"""The dreams there were, with their results. Nothing that anybody said is in it."""

from __future__ import annotations

from pathlib import Path

import msgspec

from nodes.dream_consolidator.collector.tables import open_database
from protocol.messages.dream import DreamCompleted, DreamRecord

_SCHEMA = """
CREATE TABLE IF NOT EXISTS dream (
    dream TEXT PRIMARY KEY,
    level TEXT NOT NULL,
    material_ns INTEGER NOT NULL,
    ended_ns INTEGER NOT NULL,
    record BLOB NOT NULL
) STRICT;
"""


class Journal:
    """Dreams that ran to their end in `path`, and those that never will; one that was interrupted is none of them."""

    def __init__(self, path: Path) -> None:
        self._database = open_database(path, _SCHEMA)

    def write(self, completed: DreamCompleted, material_ns: int, ended_ns: int) -> None:
        """Note a dream. `material_ns` is the wall time up to which the store was read."""
        row = (completed.dream, completed.level, material_ns, ended_ns, msgspec.msgpack.encode(completed))
        with self._database:
            self._database.execute("INSERT OR REPLACE INTO dream VALUES (?, ?, ?, ?, ?)", row)

    def last(self) -> DreamCompleted | None:
        row = self._database.execute("SELECT record FROM dream ORDER BY ended_ns DESC LIMIT 1").fetchone()
        return msgspec.msgpack.decode(row[0], type=DreamCompleted) if row else None

    def records(self, limit: int) -> list[DreamRecord]:
        """The last dreams, newest first."""
        rows = self._database.execute("SELECT record, ended_ns FROM dream ORDER BY ended_ns DESC LIMIT ?", (limit,))
        return [_record(*row) for row in rows]

    def find(self, beginning: str) -> DreamRecord | None:
        """The last dream whose name begins so."""
        query = "SELECT record, ended_ns FROM dream WHERE substr(dream, 1, ?) = ? ORDER BY ended_ns DESC LIMIT 1"
        row = self._database.execute(query, (len(beginning), beginning)).fetchone()
        return _record(*row) if row else None

    def tested(self, level: str, before: str) -> list[bool]:
        """Whether each of the level's other dreams that were put to the test was promoted, oldest first."""
        query = "SELECT record FROM dream WHERE level = ? AND dream != ? ORDER BY ended_ns, dream"
        rows = self._database.execute(query, (level, before))
        records = [msgspec.msgpack.decode(record, type=DreamCompleted) for (record,) in rows]
        return [record.promoted for record in records if record.p_value is not None]

    def material_ns(self, level: str) -> int:
        """Up to when the level's last dream had read the store; 0 before the first."""
        (moment,) = self._database.execute("SELECT max(material_ns) FROM dream WHERE level = ?", (level,)).fetchone()
        return moment or 0

    def ended_ns(self, level: str) -> int:
        """When the level's last dream ended; 0 before the first."""
        (moment,) = self._database.execute("SELECT max(ended_ns) FROM dream WHERE level = ?", (level,)).fetchone()
        return moment or 0

    def close(self) -> None:
        self._database.close()


def _record(record: bytes, ended_ns: int) -> DreamRecord:
    return DreamRecord(completed=msgspec.msgpack.decode(record, type=DreamCompleted), ended_ns=ended_ns)
