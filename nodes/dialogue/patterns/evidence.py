"""How questions have been answered, sealed, in a database of its own. Bounded: the one not asked for longest goes."""

from __future__ import annotations

import hashlib
from collections import Counter

import msgspec

from nodes.dialogue.patterns import learning
from nodes.dialogue.patterns.learning import Record, Standing, word_counts
from nodes.dialogue.store import Store, Tables
from protocol.errors import BadRequest, SealError

FILE = "patterns.sqlite"
TABLES = Tables(
    1,
    """
CREATE TABLE questions (
    key        TEXT PRIMARY KEY,
    body       BLOB NOT NULL,
    standing   TEXT NOT NULL,
    changed_ns INTEGER NOT NULL
) STRICT;
CREATE INDEX questions_by_age ON questions (changed_ns);
CREATE TABLE exchanges (
    exchange TEXT PRIMARY KEY,
    key      TEXT NOT NULL
) STRICT;
""",
)
_EXCHANGES_EACH = 8
"""Exchanges remembered for every question kept, so that a later correction finds its question."""
DECIDED = (Standing.ACCEPTED, Standing.REJECTED)


class Evidence:
    def __init__(self, store: Store, key: bytes, limit: int) -> None:
        """`key`: under which questions are digested, at most 64 bytes that nobody else knows."""
        self._store = store
        self._key = key
        self.limit = limit
        """Questions kept."""
        self.unreadable = 0
        """Records that no longer opened; their questions begin anew."""
        self.words: Counter[str] = word_counts(record.question for record in self.all())

    def digest(self, text: str) -> str:
        return hashlib.blake2b(text.encode(), digest_size=16, key=self._key).hexdigest()

    def find(self, question: str) -> Record | None:
        return self._at(self.digest(question))

    def of_exchange(self, exchange: str) -> Record | None:
        rows = self._store.rows("SELECT key FROM exchanges WHERE exchange = ?", exchange)
        return self._at(rows[0][0]) if rows else None

    def named(self, ident: str) -> Record:
        """By a beginning of its digest. BadRequest where none or several fit."""
        rows = self._store.rows(
            "SELECT key FROM questions WHERE substr(key, 1, ?) = ? LIMIT 2", len(ident), ident.lower()
        )
        record = self._at(rows[0][0]) if len(rows) == 1 and ident else None
        if record is None:
            many = "several questions begin" if len(rows) > 1 else "no question begins"
            raise BadRequest(
                f"{many} with {ident!r}" if ident else "no question is named",
                place="patterns",
                remedy="`sage patterns proposed` lists them",
            )
        return record

    def put(self, record: Record, now_ns: int, exchange: str = "") -> None:
        key = self.digest(record.question)
        sealed = self._store.sealer.seal(msgspec.msgpack.encode(record), _place(key))
        with self._store.transaction():
            known = self._store.rows("SELECT 1 FROM questions WHERE key = ?", key)
            self._store.write(
                "INSERT INTO questions VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET "
                "body = excluded.body, standing = excluded.standing, changed_ns = excluded.changed_ns",
                key,
                sealed,
                record.standing,
                now_ns,
            )
            if exchange:
                self._store.write("INSERT OR REPLACE INTO exchanges VALUES (?, ?)", exchange, key)
            if not known:
                self.words.update(word_counts([record.question]))
            self._bound()

    def forget(self, session: str, now_ns: int) -> int:
        """Take back what the conversation of this digest showed; how many questions that concerns.

        A question that was asked in no other is forgotten itself, unless somebody has decided of it.
        """
        found = [record for record in self.all() if session in record.sessions]
        with self._store.transaction():
            for record in found:
                left = learning.without(record, session)
                if left.sessions or record.standing in DECIDED:
                    self.put(left, now_ns)
                else:
                    self._drop(self.digest(record.question))
        return len(found)

    def all(self, standing: Standing | None = None) -> list[Record]:
        """Every record, or those of one standing, the latest first."""
        where = "" if standing is None else "WHERE standing = ?"
        rows = self._store.rows(
            f"SELECT key FROM questions {where} ORDER BY changed_ns DESC",  # noqa: S608 - of two constants
            *([] if standing is None else [standing]),
        )
        return [record for (key,) in rows if (record := self._at(key)) is not None]

    def __len__(self) -> int:
        ((count,),) = self._store.rows("SELECT count(*) FROM questions")
        return int(count)

    def stats(self) -> dict[str, float]:
        ((proposed,),) = self._store.rows("SELECT count(*) FROM questions WHERE standing = ?", Standing.PROPOSED)
        return {"questions": len(self), "limit": self.limit, "proposed": proposed, "unreadable": self.unreadable}

    def close(self) -> None:
        self._store.close()

    def _bound(self) -> None:
        """Within the limit. What a person decided is kept longest: forgotten, it would be proposed again."""
        rows = self._store.rows(
            "SELECT key FROM questions ORDER BY standing IN (?, ?) DESC, changed_ns DESC LIMIT -1 OFFSET ?",
            *DECIDED,
            self.limit,
        )
        for (key,) in rows:
            self._drop(key)
        self._store.write(
            "DELETE FROM exchanges WHERE rowid <= (SELECT max(rowid) FROM exchanges) - ?",
            self.limit * _EXCHANGES_EACH,
        )

    def _drop(self, key: str) -> None:
        record = self._at(key)
        if record is not None:
            self.words.subtract(word_counts([record.question]))
        self._store.write("DELETE FROM questions WHERE key = ?", key)
        self._store.write("DELETE FROM exchanges WHERE key = ?", key)

    def _at(self, key: str) -> Record | None:
        rows = self._store.rows("SELECT body FROM questions WHERE key = ?", key)
        if not rows:
            return None
        try:
            return msgspec.msgpack.decode(self._store.sealer.open(rows[0][0], _place(key)), type=Record)
        except (SealError, msgspec.MsgspecError):
            self.unreadable += 1
            return None


def _place(key: str) -> bytes:
    return f"dialogue/patterns/{key}".encode()
