"""Frames as a broken or hostile program might send them. Seeded: the same numbers give the same frames."""

from __future__ import annotations

import random


def mutate(frame: bytes, chance: random.Random) -> bytes:
    """`frame` with one to three injuries, or something else altogether."""
    for _ in range(chance.randint(1, 3)):
        frame = chance.choice(_INJURIES)(frame, chance)
    return frame


def _flip(frame: bytes, chance: random.Random) -> bytes:
    if not frame:
        return b"\x00"
    at = chance.randrange(len(frame))
    return frame[:at] + bytes([frame[at] ^ (1 << chance.randrange(8))]) + frame[at + 1 :]


def _overwrite(frame: bytes, chance: random.Random) -> bytes:
    at = chance.randrange(len(frame) + 1)
    return frame[:at] + chance.randbytes(chance.randint(1, 8)) + frame[at + 8 :]


def _cut(frame: bytes, chance: random.Random) -> bytes:
    return frame[: chance.randrange(len(frame) + 1)]


def _grow(frame: bytes, chance: random.Random) -> bytes:
    return frame + chance.randbytes(chance.randint(1, 64))


def _splice(frame: bytes, chance: random.Random) -> bytes:
    at, other = chance.randrange(len(frame) + 1), chance.randrange(len(frame) + 1)
    return frame[:at] + frame[other:]


def _length_lie(frame: bytes, chance: random.Random) -> bytes:
    """A msgpack head that promises more than there is."""
    head = chance.choice(
        (b"\xdd\xff\xff\xff\xff", b"\xdf\xff\xff\xff\xff", b"\xc6\xff\xff\xff\xff", b"\xdb\x7f\xff\xff\xff")
    )
    at = chance.randrange(len(frame) + 1)
    return frame[:at] + head + frame[at:]


def _nest(frame: bytes, chance: random.Random) -> bytes:
    return b"\x91" * chance.randint(1, 2000) + frame


def _noise(_: bytes, chance: random.Random) -> bytes:
    return chance.randbytes(chance.randint(0, 300))


_INJURIES = (_flip, _flip, _flip, _overwrite, _cut, _grow, _splice, _length_lie, _nest, _noise)
