"""Message and trace ids: UUIDv7 (RFC 9562 §5.7), as 16 bytes."""

from __future__ import annotations

_VERSION = 0x7 << 76
_VARIANT = 0b10 << 62
_RANDOM_B = (1 << 62) - 1


def uuid7(unix_ms: int, entropy: int) -> bytes:
    """A UUIDv7 of this millisecond.

    `entropy` supplies the 74 free bits. Feed it a counter in the low bits to keep ids of one millisecond in order.
    """
    rand_a = (entropy >> 62) & 0xFFF
    value = (unix_ms & 0xFFFF_FFFF_FFFF) << 80 | _VERSION | rand_a << 64 | _VARIANT | (entropy & _RANDOM_B)
    return value.to_bytes(16, "big")


def text(ident: bytes) -> str:
    """The id as people see it: 32 hexadecimal digits."""
    return ident.hex()


def parse(shown: str) -> bytes:
    """The 16 bytes of an id as people see it; raises `ValueError` for anything else."""
    ident = bytes.fromhex(shown.replace("-", ""))
    if len(ident) != 16:
        raise ValueError(f"an id has 32 hexadecimal digits, {shown!r} has {len(ident) * 2}")
    return ident
