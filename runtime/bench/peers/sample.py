"""What travels in the benchmark: one typed message of 200 bytes, and one of 64 KiB."""

from __future__ import annotations

import msgspec

SAMPLE_BYTES = 200
BLOCK_BYTES = 64 * 1024


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """A small typed message: 200 bytes as msgpack, give or take the digits of its numbers."""

    round: int
    number: int
    sent_ns: int
    """`CLOCK_MONOTONIC` before it was encoded."""
    values: list[float]
    label: str


class Block(msgspec.Struct, frozen=True, kw_only=True):
    """A large message: 64 KiB of payload."""

    round: int
    number: int
    sent_ns: int
    data: bytes


_VALUES = [index / 7 for index in range(15)]
_LABEL = "stable-context"
_DATA = bytes(BLOCK_BYTES)


def sample(round_: int, number: int, sent_ns: int) -> Sample:
    return Sample(round=round_, number=number, sent_ns=sent_ns, values=_VALUES, label=_LABEL)


def block(round_: int, number: int, sent_ns: int) -> Block:
    return Block(round=round_, number=number, sent_ns=sent_ns, data=_DATA)


MAKERS = {"sample": sample, "block": block}
"""Kind of message → how to make the next one."""

TYPES: dict[str, type[Sample | Block]] = {"sample": Sample, "block": Block}
