"""The stages of the last exchanges, for whoever asks where the time went. The questions in them are sealed."""

from __future__ import annotations

import msgspec

from nodes.dialogue.store import Store
from protocol.messages.audio import Stage
from protocol.messages.dialogue import TraceReply
from protocol.messages.speech import Spoken

SPEAKER = "speaker"


class Traces:
    def __init__(self, store: Store, limit: int) -> None:
        self._store = store
        self._limit = limit

    def put(self, trace: TraceReply, session: str, wall_ns: int) -> None:
        """It is the last, also where the clock was set back since those before it."""
        with self._store.transaction():
            self._store.write(
                "INSERT OR REPLACE INTO traces "
                "VALUES (?, ?, ?, ?, (SELECT max(?, coalesce(max(at_ns), 0) + 1) FROM traces))",
                trace.exchange,
                trace.trace.hex(),
                session,
                self._seal(trace),
                wall_ns,
            )
            self._store.write(
                "DELETE FROM traces WHERE exchange NOT IN "
                "(SELECT exchange FROM traces ORDER BY at_ns DESC, rowid DESC LIMIT ?)",
                self._limit,
            )

    def find(self, ident: str = "") -> TraceReply | None:
        """By trace or exchange id or a beginning of it, the newest where several fit; empty: the last."""
        wanted = ident.lower().replace("%", "").replace("_", "") + "%"
        rows = self._store.rows(
            "SELECT exchange, body FROM traces WHERE exchange LIKE ? OR trace LIKE ? ORDER BY at_ns DESC, rowid DESC "
            "LIMIT 1",
            wanted,
            wanted,
        )
        if not rows:
            return None
        ((exchange, body),) = rows
        return msgspec.msgpack.decode(self._store.sealer.open(body, _place(exchange)), type=TraceReply)

    def add(self, exchange: str, stages: list[Stage]) -> bool:
        """Add what happened after the exchange was over, such as its being spoken. False where it is not kept."""
        with self._store.transaction():
            rows = self._store.rows("SELECT body FROM traces WHERE exchange = ?", exchange)
            if not rows:
                return False
            known = msgspec.msgpack.decode(self._store.sealer.open(rows[0][0], _place(exchange)), type=TraceReply)
            grown = msgspec.structs.replace(known, stages=[*known.stages, *stages])
            self._store.write("UPDATE traces SET body = ? WHERE exchange = ?", self._seal(grown), exchange)
        return True

    def stats(self) -> dict[str, float]:
        ((count,),) = self._store.rows("SELECT count(*) FROM traces")
        return {"kept": count, "limit": self._limit}

    def _seal(self, trace: TraceReply) -> bytes:
        return self._store.sealer.seal(msgspec.msgpack.encode(trace), _place(trace.exchange))


def spoken(event: Spoken, node: str = SPEAKER) -> list[Stage]:
    """What the speaker reports, as stages: until the first sample, and until the last."""
    return [
        Stage(
            name="first_sound",
            node=node,
            start_ns=event.start_ns,
            seconds=(event.first_sound_ns - event.start_ns) / 1e9,
            detail="from the first sentence to the first sample",
        ),
        Stage(
            name="speak",
            node=node,
            start_ns=event.first_sound_ns,
            seconds=(event.end_ns - event.first_sound_ns) / 1e9,
            detail=f"{event.sentences} sentences, {event.audio_s:.2f} s of speech",
        ),
    ]


def _place(exchange: str) -> bytes:
    return f"dialogue/trace/{exchange}".encode()
