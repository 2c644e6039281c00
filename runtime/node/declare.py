"""How a node says what it hears and what it can be asked: by the type of the message."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec

from protocol.services import SERVICES, Service
from protocol.topics import TOPICS, Delivery, Topic
from runtime.bus.events import Event
from runtime.bus.serving import Call

F = TypeVar("F", bound=Callable[..., Awaitable[Any]])

_HEARS = "__sage_hears__"
_SERVES = "__sage_serves__"


@dataclass(frozen=True)
class Hears:
    topic: Topic
    delivery: Delivery


@dataclass(frozen=True)
class Serves:
    service: Service
    concurrency: int
    queue: int


def on(body: type[msgspec.Struct], *, delivery: Delivery | None = None) -> Callable[[F], F]:
    """Have the method called with every event whose body is of this type.

    `delivery` replaces what the topic declares. Raises `UnknownMessage` where the type belongs to no topic.
    """
    topic = TOPICS.by_body(body)

    def mark(method: F) -> F:
        setattr(method, _HEARS, Hears(topic, delivery or topic.delivery))
        return method

    return mark


def serve(request: type[msgspec.Struct], *, concurrency: int = 8, queue: int = 64) -> Callable[[F], F]:
    """Have the method answer calls whose request is of this type: at most `concurrency` at once, `queue` waiting.

    Raises `UnknownMessage` where the type asks no declared service.
    """
    service = SERVICES.by_request(request)

    def mark(method: F) -> F:
        setattr(method, _SERVES, Serves(service, concurrency, queue))
        return method

    return mark


def hearing(node: object) -> list[tuple[Hears, Callable[[Event[Any]], Awaitable[None]]]]:
    """What the node hears, with the bound methods."""
    return _marked(node, _HEARS)


def serving(node: object) -> list[tuple[Serves, Callable[[Any, Call], Awaitable[Any]]]]:
    """What the node serves, with the bound methods."""
    return _marked(node, _SERVES)


def _marked(node: object, mark: str) -> list[tuple[Any, Any]]:
    found = []
    for name in dir(type(node)):
        declared = getattr(getattr(type(node), name, None), mark, None)
        if declared is not None:
            found.append((declared, getattr(node, name)))
    return found
