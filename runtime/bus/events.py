"""The event plane of one process: what it says, and what it hears."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any, Generic, TypeVar

import structlog

from protocol.codec import decode, decode_body
from protocol.errors import Malformed, MessageError
from protocol.header import Envelope, Header
from protocol.topics import Delivery, Latest, Topic, Topics
from runtime.bus.delivery import Inbox, make_inbox
from runtime.bus.sequences import Key, Sequences
from runtime.bus.transport import Frames

T = TypeVar("T")

_EVENTS_BETWEEN_YIELDS = 64


class Event(Generic[T]):
    """A message from the event plane: its header, its body, and the bytes it came as."""

    __slots__ = ("body", "frame_bytes", "header")

    def __init__(self, header: Header, body: T, frame_bytes: int) -> None:
        self.header = header
        self.body = body
        self.frame_bytes = frame_bytes

    def __repr__(self) -> str:
        return f"Event({self.header.name} #{self.header.seq} from {self.header.source}: {self.body!r})"


Handler = Callable[[Event[Any]], Awaitable[None]]


class Subscription:
    """One handler's view of a topic: its own inbox, emptied in order by one task."""

    def __init__(self, topic: Topic | str, delivery: Delivery, handler: Handler) -> None:
        self.topic = topic if isinstance(topic, Topic) else None
        self.prefix = topic.path if isinstance(topic, Topic) else topic
        self.wire = topic.wire if isinstance(topic, Topic) else topic.encode()
        self.inbox: Inbox[Event[Any]] = make_inbox(delivery, key=_key_of(delivery), size_of=_size_of)
        self.failed = 0
        self.handled = 0
        self.task: asyncio.Task[None] | None = None
        self._handler = handler
        self._wake = asyncio.Event()

    def put(self, event: Event[Any]) -> None:
        self.inbox.put(event)
        self._wake.set()

    async def run(self, opened: asyncio.Event, log: structlog.stdlib.BoundLogger) -> None:
        """Hand every event to the handler, from the moment the process is open for them.

        A handler that fails is logged with its trace and does not stop the next.
        """
        await opened.wait()
        while True:
            await self._wake.wait()
            self._wake.clear()
            since_yield = 0
            while len(self.inbox):
                event = self.inbox.get()
                try:
                    await self._handler(event)
                    self.handled += 1
                except Exception:
                    self.failed += 1
                    log.exception("handler.failed", topic=event.header.name, source=event.header.source)
                since_yield += 1
                if since_yield >= _EVENTS_BETWEEN_YIELDS:
                    since_yield = 0
                    await asyncio.sleep(0)

    def stats(self) -> dict[str, float]:
        return {**self.inbox.stats(), "handled": self.handled, "failed": self.failed}


def _key_of(delivery: Delivery) -> Callable[[Event[Any]], Any]:
    field = delivery.key if isinstance(delivery, Latest) else ""
    if not field:
        return lambda event: (event.header.host, event.header.source, event.header.name)
    return lambda event: (event.header.host, event.header.source, getattr(event.body, field))


def _size_of(event: Event[Any]) -> int:
    return event.frame_bytes


class Reader:
    """Turns frames of the event plane into events, in order, without doubling, and knows what it missed."""

    def __init__(self, topics: Topics) -> None:
        self._topics = topics
        self._subscriptions: list[Subscription] = []
        self._routes: dict[bytes, list[Subscription]] = {}
        self._last: dict[Key, Event[Any]] = {}
        """The retained values heard so far, for subscriptions that come later."""
        self.sequences = Sequences()
        self.refused: Counter[str] = Counter()
        """Error code → messages refused."""

    def add(self, subscription: Subscription) -> None:
        """Let a subscription in. Retained values that this reader has are handed to it at once."""
        self._subscriptions.append(subscription)
        self._routes.clear()
        for event in self._last.values():
            if f"{event.header.name}/".encode().startswith(subscription.wire):
                subscription.put(event)

    def retained_prefixes(self) -> list[str]:
        """What to ask the hub for: the subscriptions under which something may be retained."""
        return sorted({one.prefix for one in self._subscriptions if one.topic is None or one.topic.retained})

    def remove(self, subscription: Subscription) -> None:
        self._subscriptions.remove(subscription)
        self._routes.clear()

    @property
    def subscriptions(self) -> list[Subscription]:
        return list(self._subscriptions)

    def take(self, frames: Frames) -> None:
        """A message as it came from the socket: topic, then envelope."""
        if len(frames) != 2:
            self.refused["message.malformed"] += 1
            return
        wire, frame = frames
        try:
            envelope = decode(frame)
            self._check_topic(wire, envelope)
            # The body is read before the sequence moves on, so that a refused message shows as lost as well.
            targets = self._targets(wire)
            body = self._body(envelope)
        except MessageError as error:
            self.refused[error.code] += 1
            return
        if self.sequences.accept((envelope.host, envelope.source, envelope.name), envelope.epoch, envelope.seq):
            self._deliver(Event(envelope, body, len(frame)), targets)

    def take_retained(self, frame: bytes) -> None:
        """A retained value from a snapshot: delivered unless the same or a newer one was heard."""
        try:
            envelope = decode(frame)
            body = self._body(envelope)
        except MessageError as error:
            self.refused[error.code] += 1
            return
        if self.sequences.rebase((envelope.host, envelope.source, envelope.name), envelope.epoch, envelope.seq):
            self._deliver(Event(envelope, body, len(frame)), self._targets(f"{envelope.name}/".encode()))

    def stats(self) -> dict[str, float]:
        counts: dict[str, float] = {"lost": self.sequences.lost, "repeated": self.sequences.repeated}
        counts.update({f"refused.{code}": count for code, count in self.refused.items()})
        return counts

    def _deliver(self, event: Event[Any], targets: list[Subscription]) -> None:
        header = event.header
        topic = self._topics.find(header.name)
        if topic is not None and topic.retained:
            self._last[(header.host, header.source, header.name)] = event
        for subscription in targets:
            subscription.put(event)

    def _targets(self, wire: bytes) -> list[Subscription]:
        """Who hears this topic. Only declared topics are remembered: foreign names could be without end."""
        targets = self._routes.get(wire)
        if targets is None:
            targets = [one for one in self._subscriptions if wire.startswith(one.wire)]
            if self._topics.find(wire[:-1].decode(errors="replace")):
                self._routes[wire] = targets
        return targets

    def _body(self, envelope: Envelope) -> Any:
        topic = self._topics.find(envelope.name)
        if topic is not None:
            return decode_body(envelope, topic.body)
        return decode_body(envelope, dict)

    @staticmethod
    def _check_topic(wire: bytes, envelope: Envelope) -> None:
        if wire != envelope.name.encode() + b"/":
            raise Malformed(f"came under {wire!r} and calls itself {envelope.name!r}")
