"""The last signed head, noted in a file beside the ledger's: an older ledger that was put back does not hold it.

The note is written after its entries are on the disk, and never waited for: one that is older than the ledger, or was
lost with the power, takes nothing away from it.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import msgspec

from nodes.trust_ledger.chain import GENESIS, Head, head_statement
from protocol.errors import BadRequest, SealError


def write(ledger: Path, head: Head) -> None:
    """Replace the note. Raises `OSError`."""
    path = place(ledger)
    beside = path.with_name(f".{path.name}.new")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(msgspec.json.encode(head))
    beside.replace(path)


def read(ledger: Path, check: Callable[[bytes, bytes], None]) -> Head | None:
    """The head that was noted; None where there is none, or none that the host signed."""
    try:
        head = msgspec.json.decode(place(ledger).read_bytes(), type=Head)
        check(head_statement(head.number, head.link), head.signature)
    except (OSError, msgspec.DecodeError, SealError):
        return None
    return head


def parse(text: str) -> Head:
    """A head as people note it, `<number>:<link>`. Raises `BadRequest`."""
    number, _, link = text.partition(":")
    try:
        head = Head(int(number), bytes.fromhex(link), b"")
    except ValueError:
        head = Head(0, b"", b"")
    if len(head.link) != len(GENESIS) or not 0 < head.number < 1 << 63:
        raise BadRequest(f"{text!r} is no head; one looks like 123:9f0c…", place="trust/verify: head")
    return head


def shown(number: int, link: bytes) -> str:
    return f"{number}:{link.hex()}"


def place(ledger: Path) -> Path:
    return ledger.with_suffix(".head")
