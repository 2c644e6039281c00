"""References to what is too large to travel inline: attention state, adapters, recordings."""

from __future__ import annotations

import msgspec


class BulkRef(msgspec.Struct, frozen=True, kw_only=True):
    """A file by its content. Whoever holds the reference can check that it got the right bytes."""

    digest: str
    """SHA-256 of the content, 64 hexadecimal digits."""
    size: int
    """Bytes."""
    media_type: str = "application/octet-stream"
