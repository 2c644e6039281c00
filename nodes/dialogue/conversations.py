"""Conversations at rest: sealed, so many at most, the one not spoken in for longest goes first."""

from __future__ import annotations

import msgspec

from nodes.dialogue.conversation import Conversation
from nodes.dialogue.store import Store
from protocol.errors import SealError


class Conversations:
    def __init__(self, store: Store, limit: int) -> None:
        self._store = store
        self._limit = limit
        self.unreadable = 0
        """Conversations that no longer opened; they began anew."""

    def get(self, session: str) -> Conversation:
        """The conversation, empty where there was none or it can no longer be read."""
        rows = self._store.rows("SELECT body FROM conversations WHERE session = ?", session)
        if not rows:
            return Conversation()
        try:
            plain = self._store.sealer.open(rows[0][0], _place(session))
            return msgspec.msgpack.decode(plain, type=Conversation)
        except (SealError, msgspec.MsgspecError):
            self.unreadable += 1
            return Conversation()

    def put(self, session: str, conversation: Conversation, wall_ns: int) -> None:
        """It was spoken in last, also where the clock was set back since others were."""
        body = self._store.sealer.seal(msgspec.msgpack.encode(conversation), _place(session))
        with self._store.transaction():
            self._store.write(
                "INSERT INTO conversations "
                "VALUES (?, ?, (SELECT max(?, coalesce(max(changed_ns), 0) + 1) FROM conversations)) "
                "ON CONFLICT DO UPDATE SET body = excluded.body, changed_ns = excluded.changed_ns",
                session,
                body,
                wall_ns,
            )
            self._store.write(
                "DELETE FROM conversations WHERE session NOT IN "
                "(SELECT session FROM conversations ORDER BY changed_ns DESC, rowid DESC LIMIT ?)",
                self._limit,
            )

    def forget(self, session: str) -> int:
        """Remove the conversation, and what its traces say was asked. Returns how many messages it had."""
        messages = len(self.get(session).messages)
        with self._store.transaction():
            self._store.write("DELETE FROM conversations WHERE session = ?", session)
            self._store.write("DELETE FROM traces WHERE session = ?", session)
        return messages

    def stats(self) -> dict[str, float]:
        ((count,),) = self._store.rows("SELECT count(*) FROM conversations")
        return {"kept": count, "limit": self._limit, "unreadable": self.unreadable}


def _place(session: str) -> bytes:
    return f"dialogue/conversation/{session}".encode()
