"""What must reach others and must not be lost: written down before it is sent, struck out once it was acknowledged.

A delivery may carry another that follows from its reply (`then`): the lesson for the dreamer waits for the salience of
its exchange. Striking out the one and writing down the other is a single transaction, so a crash at any moment loses
neither and doubles neither; a call that was made and not yet struck out is made again, and the callee knows it by its
key.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import msgspec

from nodes.dialogue.store import Store
from protocol.errors import SageError
from protocol.services import SERVICES

_WAITING = "SELECT destination, count(*) FROM outbox WHERE refused = '' GROUP BY destination"
_FIRST = """
SELECT number, key, body, attempts FROM outbox WHERE destination = ? AND refused = '' ORDER BY number LIMIT 1
"""


@dataclass(frozen=True)
class Delivery:
    """One request that a node must get. `key` tells it from all others for the same destination."""

    destination: str
    key: str
    request: Any
    then: Delivery | None = None


@dataclass(frozen=True)
class Pending:
    """A delivery as it lies in the outbox."""

    number: int
    delivery: Delivery
    attempts: int


class _Saved(msgspec.Struct):
    """A delivery as it is sealed."""

    destination: str
    key: str
    service: str
    request: msgspec.Raw
    then: _Saved | None = None


class Outbox:
    def __init__(self, store: Store) -> None:
        self._store = store
        self.delivered = 0
        self.retried = 0
        store.write("UPDATE outbox SET refused = ''")  # Whoever refused them may have been replaced meanwhile.

    def put(self, deliveries: Iterable[Delivery]) -> None:
        """Write down; one that is there already stays as it is."""
        with self._store.transaction():
            for delivery in deliveries:
                self._store.write(
                    "INSERT OR IGNORE INTO outbox (destination, key, body) VALUES (?, ?, ?)",
                    delivery.destination,
                    delivery.key,
                    self._store.sealer.seal(
                        msgspec.msgpack.encode(_save(delivery)), _place(delivery.destination, delivery.key)
                    ),
                )

    def first(self, destination: str) -> Pending | None:
        """The oldest that waits for `destination`. What can no longer be read is set aside, and counted as refused."""
        while rows := self._store.rows(_FIRST, destination):
            ((number, key, body, attempts),) = rows
            try:
                plain = self._store.sealer.open(body, _place(destination, key))
                return Pending(number, _restore(msgspec.msgpack.decode(plain, type=_Saved)), attempts)
            except (SageError, msgspec.MsgspecError) as error:
                self._set_aside(number, f"cannot be read: {error}")
        return None

    def strike(self, pending: Pending, follow: Delivery | None = None) -> None:
        """It was acknowledged; what follows from it is written down in the same moment."""
        with self._store.transaction():
            self._store.write("DELETE FROM outbox WHERE number = ?", pending.number)
            if follow is not None:
                self.put([follow])
        self.delivered += 1

    def count_attempt(self, pending: Pending) -> None:
        self._store.write("UPDATE outbox SET attempts = attempts + 1 WHERE number = ?", pending.number)
        self.retried += 1

    def refuse(self, pending: Pending, reason: str) -> None:
        """Set aside what its destination will not take, so that the others get through. It is kept, and counted."""
        self._set_aside(pending.number, reason)

    def waiting(self) -> dict[str, int]:
        """Destination → deliveries that wait for it."""
        return dict(self._store.rows(_WAITING))

    def stats(self) -> dict[str, float]:
        ((refused,),) = self._store.rows("SELECT count(*) FROM outbox WHERE refused != ''")
        waiting = {f"waiting.{destination}": float(count) for destination, count in self.waiting().items()}
        return {"delivered": self.delivered, "retried": self.retried, "refused": refused, **waiting}

    def _set_aside(self, number: int, reason: str) -> None:
        self._store.write("UPDATE outbox SET refused = ? WHERE number = ?", reason or "refused", number)


def _save(delivery: Delivery) -> _Saved:
    return _Saved(
        destination=delivery.destination,
        key=delivery.key,
        service=SERVICES.by_request(type(delivery.request)).name,
        request=msgspec.Raw(msgspec.msgpack.encode(delivery.request)),
        then=_save(delivery.then) if delivery.then else None,
    )


def _restore(saved: _Saved) -> Delivery:
    request = msgspec.msgpack.decode(saved.request, type=SERVICES.by_name(saved.service).request)
    return Delivery(saved.destination, saved.key, request, _restore(saved.then) if saved.then else None)


def _place(destination: str, key: str) -> bytes:
    return f"dialogue/outbox/{destination}/{key}".encode()
