"""What the test node says and is asked: declared as any package would declare its own."""

from __future__ import annotations

import msgspec

from protocol.services import SERVICES
from protocol.topics import TOPICS, Every, Latest


class Number(msgspec.Struct, frozen=True, kw_only=True):
    n: int
    padding: bytes = b""


class Weather(msgspec.Struct, frozen=True, kw_only=True):
    degrees: int


class Say(msgspec.Struct, frozen=True, kw_only=True):
    """Publish `count` numbers, then the weather."""

    count: int = 0
    degrees: int | None = None


class Count(msgspec.Struct, frozen=True, kw_only=True):
    """Stream numbers 0 … up to `upto`."""

    upto: int


class Slow(msgspec.Struct, frozen=True, kw_only=True):
    """Answer when told to by a file, or never."""


class Once(msgspec.Struct, frozen=True, kw_only=True):
    """Answer with how often this was computed."""


class Break(msgspec.Struct, frozen=True, kw_only=True):
    how: str


class Observed(msgspec.Struct, frozen=True, kw_only=True):
    """What the node has seen so far."""


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    value: int = 0
    cancelled: int = 0
    parts_sent: int = 0
    numbers: list[int] = []
    weather: list[int] = []


TOPICS.declare("test/number", Number, Every())
TOPICS.declare("test/weather", Weather, Latest(), retained=True)
for _name, _request, _part in (
    ("test/say", Say, None),
    ("test/count", Count, Number),
    ("test/slow", Slow, None),
    ("test/once", Once, None),
    ("test/break", Break, None),
    ("test/observed", Observed, None),
):
    SERVICES.declare(_name, _request, Seen, _part)
