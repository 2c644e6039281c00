"""Every topic, declared once: its type, how readers get it, and whether late joiners get the last value.

On the wire a topic ends at a delimiter (`audio/utterance/`), so that a subscription never catches a neighbour
(`audio/utterances`), and a subscription to `audio/` catches all that is under it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import msgspec

from protocol.errors import UnknownMessage
from protocol.messages import audio, context, dialogue, dream, hub, metabolism, node, reality, speech, trust

_PATH = re.compile(r"[a-z][a-z0-9_]*(/[a-z0-9_]+)+")


@dataclass(frozen=True)
class Latest:
    """A reader that falls behind sees only the newest value of each key, and counts what it skipped.

    `key` names a field of the body; without it there is one key per source.
    """

    key: str = ""


@dataclass(frozen=True)
class Queue:
    """A reader that falls `size` messages behind loses the oldest, and counts them."""

    size: int


@dataclass(frozen=True)
class Every:
    """A reader keeps all of them, up to `limit_bytes`; past that it counts the loss and calls itself degraded."""

    limit_bytes: int = 64 << 20


Delivery = Latest | Queue | Every


@dataclass(frozen=True)
class Topic:
    path: str
    body: type[msgspec.Struct]
    delivery: Delivery
    retained: bool = False

    @cached_property
    def wire(self) -> bytes:
        return f"{self.path}/".encode()


class Topics:
    """The declared topics, by path and by body type."""

    def __init__(self) -> None:
        self._by_path: dict[str, Topic] = {}
        self._by_body: dict[type[Any], Topic] = {}

    def declare(self, path: str, body: type[msgspec.Struct], delivery: Delivery, *, retained: bool = False) -> Topic:
        """Declare a topic. Raises `ValueError` where the path or the type is already spoken for by another."""
        if not _PATH.fullmatch(path):
            raise ValueError(f"{path!r} is no topic path: at least two lower-case words joined by '/'")
        topic = Topic(path, body, delivery, retained)
        known = self._by_path.get(path) or self._by_body.get(body)
        if known is not None and known != topic:
            raise ValueError(f"{path} ({body.__name__}) is already declared as {known.path} ({known.body.__name__})")
        self._by_path[path] = topic
        self._by_body[body] = topic
        return topic

    def by_path(self, path: str) -> Topic:
        try:
            return self._by_path[path]
        except KeyError:
            raise UnknownMessage(f"no topic {path!r} is declared here", place=path) from None

    def by_body(self, body: type[Any]) -> Topic:
        try:
            return self._by_body[body]
        except KeyError:
            raise UnknownMessage(
                f"{body.__name__} belongs to no topic", remedy="declare it with protocol.topics.TOPICS.declare"
            ) from None

    def find(self, path: str) -> Topic | None:
        return self._by_path.get(path)

    def all(self) -> list[Topic]:
        return sorted(self._by_path.values(), key=lambda topic: topic.path)


TOPICS = Topics()

for _path, _body, _delivery, _retained in (
    ("audio/speech", audio.SpeechActivity, Queue(64), False),
    ("audio/utterance", audio.Utterance, Queue(64), False),
    ("context/classified", context.Classified, Queue(64), False),
    ("exchange/started", dialogue.ExchangeStarted, Queue(256), False),
    ("exchange/completed", dialogue.ExchangeCompleted, Queue(256), False),
    ("exchange/scored", context.ExchangeScored, Queue(256), False),
    ("reality/surprised", reality.RealitySurprised, Queue(256), False),
    ("reply/part", dialogue.ReplyPart, Queue(4096), False),
    ("reply/completed", dialogue.ReplyCompleted, Queue(256), False),
    ("metabolic/state", metabolism.MetabolicState, Latest(), True),
    ("metabolic/energy", metabolism.Energy, Latest(), True),
    ("trust/recorded", trust.TrustRecorded, Queue(256), False),
    ("trust/table", trust.TrustTable, Latest(), True),
    ("dream/backlog", dream.DreamBacklog, Latest(), True),
    ("dream/progress", dream.DreamProgress, Queue(64), False),
    ("dream/completed", dream.DreamCompleted, Queue(64), False),
    ("adapter/current", dream.AdapterCurrent, Latest(), True),
    ("adapter/adopted", dream.AdapterAdopted, Queue(64), False),
    ("adapter/decided", dream.AdapterDecided, Queue(64), False),
    ("speech/spoken", speech.Spoken, Queue(64), False),
    ("node/health", node.Health, Latest(), True),
    ("hub/registry", hub.Registry, Latest(), True),
):
    TOPICS.declare(_path, _body, _delivery, retained=_retained)
