"""The saying side of events: every message numbered, stamped and of a declared topic. No sockets."""

from __future__ import annotations

import random
from typing import Any

from protocol import ids
from protocol.codec import encode
from protocol.header import WIRE_VERSION, Draft
from protocol.messages.hub import Retained
from protocol.topics import Topic, Topics
from runtime.clock import Clock


class Publisher:
    """Makes the messages of one source in one boot, and remembers what it said on retained topics."""

    def __init__(self, *, source: str, host: str, clock: Clock, topics: Topics) -> None:
        self.source = source
        self.host = host
        self.epoch = clock.wall_ns() // 1_000_000
        self.retained: dict[str, Retained] = {}
        self.sequence: dict[str, int] = {}
        """Topic → sequence of the last message said on it."""
        self._clock = clock
        self._topics = topics
        self._random = random.Random()

    def event(self, body: Any, trace: bytes) -> tuple[Topic, bytes]:
        """The next message on the topic of `body`. The sequence moves on only when the message could be made."""
        topic = self._topics.by_body(type(body))
        seq = self.sequence.get(topic.path, 0) + 1
        frame = encode(self.draft(topic.path, body, seq=seq, trace=trace))
        self.sequence[topic.path] = seq
        if topic.retained:
            self.retained[topic.path] = Retained(topic=topic.path, frame=frame)
        return topic, frame

    def draft(
        self,
        name: str,
        body: Any,
        *,
        seq: int = 0,
        trace: bytes = b"",
        deadline_ns: int | None = None,
        idempotency_key: str | None = None,
    ) -> Draft:
        wall_ns = self._clock.wall_ns()
        return Draft(
            version=WIRE_VERSION,
            id=ids.uuid7(wall_ns // 1_000_000, self._random.getrandbits(74)),
            name=name,
            source=self.source,
            host=self.host,
            epoch=self.epoch,
            seq=seq,
            wall_ns=wall_ns,
            mono_ns=self._clock.mono_ns(),
            trace=trace,
            deadline_ns=deadline_ns,
            idempotency_key=idempotency_key,
            body=body,
        )

    def new_trace(self) -> bytes:
        return ids.uuid7(self._clock.wall_ns() // 1_000_000, self._random.getrandbits(74))
