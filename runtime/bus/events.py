"""The event plane of one process: what it says, and what it hears."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from contextvars import copy_context
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import structlog

from protocol.codec import decode, decode_as
from protocol.errors import Malformed, MessageError
from protocol.header import Header
from protocol.topics import Delivery, Latest, Topic, Topics
from runtime.bus.delivery import Inbox, make_inbox
from runtime.bus.eager import Threshold
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

    def __init__(
        self, topic: Topic | str, delivery: Delivery, handler: Handler, log: structlog.stdlib.BoundLogger
    ) -> None:
        self.topic = topic if isinstance(topic, Topic) else None
        self.prefix = topic.path if isinstance(topic, Topic) else topic
        self.wire = topic.wire if isinstance(topic, Topic) else topic.encode()
        self.inbox: Inbox[Event[Any]] = make_inbox(delivery, key=_key_of(delivery), size_of=_size_of)
        self.failed = 0
        self.handled = 0
        self.context = copy_context()
        """What `run` must run in."""
        self.task: asyncio.Task[None] | None = None
        self._handler = handler
        self._log = log
        self._threshold = Threshold(self.context)

    def put(self, event: Event[Any], *, at_once: bool = False) -> None:
        """Take in an event. `at_once`: if the handler is idle, it begins now and not with the loop's next turn."""
        self.inbox.put(event)
        if at_once and self._threshold.free and len(self.inbox):
            self._threshold.begin(self._handle(self.inbox.get()))
        else:
            self._threshold.wake()

    async def run(self, opened: asyncio.Event) -> None:
        """Hand every event to the handler, in order, from the moment the process is open for them."""
        await opened.wait()
        while True:
            since_yield = 0
            while len(self.inbox):
                await self._handle(self.inbox.get())
                since_yield += 1
                if since_yield >= _EVENTS_BETWEEN_YIELDS:
                    since_yield = 0
                    await asyncio.sleep(0)
            await self._threshold.wait()

    async def _handle(self, event: Event[Any]) -> None:
        """One that fails is logged with its trace and does not stop the next."""
        try:
            await self._handler(event)
            self.handled += 1
        except Exception:
            self.failed += 1
            self._log.exception("handler.failed", topic=event.header.name, source=event.header.source)

    def stats(self) -> dict[str, float]:
        return {**self.inbox.stats(), "handled": self.handled, "failed": self.failed}


def _key_of(delivery: Delivery) -> Callable[[Event[Any]], Any]:
    field = delivery.key if isinstance(delivery, Latest) else ""
    if not field:
        return lambda event: (event.header.host, event.header.source, event.header.name)
    return lambda event: (event.header.host, event.header.source, getattr(event.body, field))


def _size_of(event: Event[Any]) -> int:
    return event.frame_bytes


@dataclass(frozen=True, slots=True)
class _Route:
    """What comes under one topic: its name, its type, and who hears it."""

    name: str
    body: type[Any]
    retained: bool
    targets: list[Subscription]


class Reader:
    """Turns frames of the event plane into events, in order, without doubling, and knows what it missed."""

    def __init__(self, topics: Topics) -> None:
        self._topics = topics
        self._subscriptions: list[Subscription] = []
        self._routes: dict[bytes, _Route] = {}
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

    def take(self, frames: Frames, *, at_once: bool = False) -> None:
        """A message as it came from the socket: topic, then envelope. `at_once`: see `Subscription.put`."""
        if len(frames) != 2:
            self.refused["message.malformed"] += 1
            return
        wire, frame = frames
        try:
            envelope = decode(frame)
            route = self._routes.get(wire) or self._route(wire)
            if envelope.name != route.name:
                raise Malformed(f"came under {wire!r} and calls itself {envelope.name!r}")
            # The body is read before the sequence moves on, so that a refused message shows as lost as well.
            body = decode_as(envelope.body, route.body, place=route.name)
        except MessageError as error:
            self.refused[error.code] += 1
            return
        key = (envelope.host, envelope.source, envelope.name)
        if self.sequences.accept(key, envelope.epoch, envelope.seq, envelope.mono_ns):
            self._deliver(key, Event(envelope, body, len(frame)), route, at_once=at_once)

    def take_retained(self, frame: bytes, *, again: bool = False) -> None:
        """A retained value from the hub: delivered unless the same or a newer one was heard.

        `again`: the same is delivered once more. Whoever took it the first time may have failed.
        """
        try:
            envelope = decode(frame)
            route = self._route(f"{envelope.name}/".encode())
            body = decode_as(envelope.body, route.body, place=route.name)
        except MessageError as error:
            self.refused[error.code] += 1
            return
        key = (envelope.host, envelope.source, envelope.name)
        news = self.sequences.rebase(key, envelope.epoch, envelope.seq, envelope.mono_ns)
        if news or (again and self._is_last(key, envelope)):
            self._deliver(key, Event(envelope, body, len(frame)), route)

    def _is_last(self, key: Key, header: Header) -> bool:
        last = self._last.get(key)
        return last is not None and (last.header.epoch, last.header.seq) == (header.epoch, header.seq)

    def stats(self) -> dict[str, float]:
        counts: dict[str, float] = {"lost": self.sequences.lost, "repeated": self.sequences.repeated}
        counts.update({f"refused.{code}": count for code, count in self.refused.items()})
        return counts

    def _deliver(self, key: Key, event: Event[Any], route: _Route, *, at_once: bool = False) -> None:
        if route.retained:
            self._last[key] = event
        for subscription in route.targets:
            subscription.put(event, at_once=at_once)

    def _route(self, wire: bytes) -> _Route:
        """Where a topic leads. Only declared topics are remembered: foreign names could be without end.

        Raises `Malformed` for what no topic looks like on the wire.
        """
        name = wire[:-1].decode(errors="replace")
        if f"{name}/".encode() != wire:
            raise Malformed(f"{wire!r} is no topic")
        topic = self._topics.find(name)
        targets = [one for one in self._subscriptions if wire.startswith(one.wire)]
        if topic is None:
            return _Route(name, dict, False, targets)
        self._routes[wire] = _Route(name, topic.body, topic.retained, targets)
        return self._routes[wire]
