"""What every message says about itself. The body travels inside the same msgpack map, under `body`.

A reader that knows none of our types unpacks a message with plain `msgpack` and sees one dictionary.
"""

from __future__ import annotations

from typing import Any

import msgspec

WIRE_VERSION = 1
"""Raised only when a reader of the old version could misread a new message; added fields do not raise it."""

OLDEST_READABLE = 1

BODY_LIMIT = 1 << 20
"""Bytes of body that travel inline. Anything larger goes by reference (`protocol.bulk`)."""

FRAME_LIMIT = BODY_LIMIT + (1 << 16)
"""Bytes of a whole message: the body and a generous header."""


class Header(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Who said it, when, as which in its sequence, and for a call until when an answer is wanted."""

    version: int
    id: bytes
    name: str
    """Path of the topic, or name of the service."""
    source: str
    """Name of the node that made the message."""
    host: str
    epoch: int
    """Boot of the source: milliseconds of wall time at its start. Sequences begin again with it."""
    seq: int
    """Per (source, epoch, topic), from 1, without holes."""
    wall_ns: int
    """Wall time in nanoseconds since 1970."""
    mono_ns: int
    """`CLOCK_MONOTONIC` of the source's host in nanoseconds: comparable between processes of one host."""
    trace: bytes
    deadline_ns: int | None = None
    """Calls only: the `CLOCK_MONOTONIC` of this host after which nobody waits for the answer."""
    idempotency_key: str | None = None
    """Calls only: a call repeated under the same key gets the first one's answer."""


class Envelope(Header, frozen=True, kw_only=True, gc=False):
    """A message as it was read: the header, and the body not looked at yet."""

    body: msgspec.Raw


class Draft(Header, frozen=True, kw_only=True, gc=False):
    """A message about to be written: the header, and a body of any declared type."""

    body: Any
