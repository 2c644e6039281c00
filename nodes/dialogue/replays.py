"""What is kept for replay: questions of the day, what all levels answered to them, and what that taught. Sealed.

A file of its own, for all of it may be lost without anybody missing an answer. Questions are a uniform sample of those
that models answered since the last replay (reservoir sampling: Vitter 1985).
"""

from __future__ import annotations

import random
from typing import TypeVar

import msgspec

from nodes.dialogue.replaying import Lesson, Sample
from nodes.dialogue.store import Store, Tables
from nodes.trust_ledger.features import Query
from protocol.messages.model import ChatMessage

FILE = "replay.sqlite"
TABLES = Tables(
    1,
    """
CREATE TABLE asked (
    exchange TEXT PRIMARY KEY,
    session  TEXT NOT NULL,
    body     BLOB NOT NULL
) STRICT;
CREATE TABLE samples (
    number   INTEGER PRIMARY KEY AUTOINCREMENT,
    exchange TEXT NOT NULL UNIQUE,
    body     BLOB NOT NULL
) STRICT;
CREATE TABLE lessons (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    body   BLOB NOT NULL
) STRICT;
""",
)
LESSONS = 10
"""That are kept, so that the last may be taken back."""

T = TypeVar("T")


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """A question with all that it takes to ask it again."""

    exchange: str
    query: Query
    messages: list[ChatMessage]


class Replays:
    def __init__(self, store: Store, *, questions: int, samples: int) -> None:
        self._store = store
        self._questions = questions
        self._samples = samples
        self._random = random.Random()
        self._met = self._count("asked")
        """Since the last replay; after a restart, those that are still kept."""
        self.lesson = self._latest() or Lesson()

    def keep(self, asked: Asked) -> None:
        """Take a question in; each of those met since the last replay stays with the same probability."""
        self._met += 1
        with self._store.transaction():
            if self._count("asked") >= self._questions:
                if self._random.random() >= self._questions / self._met:
                    return
                self._store.write(
                    "DELETE FROM asked WHERE exchange IN (SELECT exchange FROM asked ORDER BY random() LIMIT 1)"
                )
            self._store.write(
                "INSERT OR REPLACE INTO asked VALUES (?, ?, ?)",
                asked.exchange,
                asked.query.session,
                self._seal("asked", asked.exchange, asked),
            )

    def forget(self, session: str) -> int:
        """Drop what was asked in a conversation. Returns how many questions that were."""
        return self._store.write("DELETE FROM asked WHERE session = ?", session)

    def waiting(self, count: int) -> list[Asked]:
        """Up to `count` questions, by chance."""
        rows = self._store.rows("SELECT exchange, body FROM asked ORDER BY random() LIMIT ?", count)
        return [self._open("asked", exchange, body, Asked) for exchange, body in rows]

    def replayed(self, exchange: str, sample: Sample) -> None:
        """Keep what came of a question; it waits no longer. The oldest of too many is dropped."""
        with self._store.transaction():
            self._store.write("DELETE FROM asked WHERE exchange = ?", exchange)
            self._store.write(
                "INSERT OR REPLACE INTO samples (exchange, body) VALUES (?, ?)",
                sample.exchange,
                self._seal("samples", sample.exchange, sample),
            )
            self._store.write(
                "DELETE FROM samples WHERE number NOT IN (SELECT number FROM samples ORDER BY number DESC LIMIT ?)",
                self._samples,
            )

    def samples(self) -> list[Sample]:
        """Oldest first."""
        rows = self._store.rows("SELECT exchange, body FROM samples ORDER BY number")
        return [self._open("samples", exchange, body, Sample) for exchange, body in rows]

    def learned(self, lesson: Lesson) -> None:
        """Put a lesson in force; the ones before it are kept. The next sample begins anew."""
        with self._store.transaction():
            self._store.write("INSERT INTO lessons (body) VALUES (?)", self._seal("lessons", "", lesson))
            self._store.write(
                "DELETE FROM lessons WHERE number NOT IN (SELECT number FROM lessons ORDER BY number DESC LIMIT ?)",
                LESSONS,
            )
        self.lesson = lesson
        self._met = self._count("asked")

    def take_back(self) -> bool:
        """Put the lesson before the last in force again. False where there is none."""
        with self._store.transaction():
            if self._count("lessons") < 2:
                return False
            self._store.write("DELETE FROM lessons WHERE number = (SELECT max(number) FROM lessons)")
        self.lesson = self._latest() or Lesson()
        return True

    def stats(self) -> dict[str, float]:
        return {
            "waiting": self._count("asked"),
            "met": self._met,
            "samples": self._count("samples"),
            "lessons": self._count("lessons"),
        }

    def close(self) -> None:
        self._store.close()

    def _latest(self) -> Lesson | None:
        rows = self._store.rows("SELECT body FROM lessons ORDER BY number DESC LIMIT 1")
        return self._open("lessons", "", rows[0][0], Lesson) if rows else None

    def _count(self, table: str) -> int:
        ((count,),) = self._store.rows(f"SELECT count(*) FROM {table}")  # noqa: S608 - names of our own
        return int(count)

    def _seal(self, table: str, key: str, body: msgspec.Struct) -> bytes:
        return self._store.sealer.seal(msgspec.msgpack.encode(body), _place(table, key))

    def _open(self, table: str, key: str, body: bytes, kind: type[T]) -> T:
        return msgspec.msgpack.decode(self._store.sealer.open(body, _place(table, key)), type=kind)


def _place(table: str, key: str) -> bytes:
    return f"dialogue/replay/{table}/{key}".encode()
