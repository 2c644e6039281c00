"""The chain of entries and what can be wrong with it. Pure: bytes in, findings out; keys come as functions.

An entry's digest covers all that it says and its link to the entry before, and is signed. Of its body it covers the
SHA-256 of what was sealed, so that the content can be shown to others and proved by the same signature; the seal itself
shows any change of the sealed bytes. Entries of the first format, which have no `content`, cover the sealed bytes.

The link covers digest and signature; the head, signed too, says with which link the chain ends. So one valid head and
unbroken links prove every entry and every signature (`intact`, a few microseconds an entry), and only a chain that is
not intact is looked at signature by signature, to name what is wrong (`inspect`).

Without the host's key nobody can change, add, move or drop an entry unnoticed. The one thing a chain cannot show by
itself is that a whole older state, with the head that was signed for it, was put back: for that, a later head must
have been kept elsewhere (`not_held`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator

import msgspec

from protocol.errors import SealError

GENESIS = bytes(32)
"""What stands before the first entry."""


class Entry(msgspec.Struct, frozen=True):
    """As it stands in the ledger, field by column."""

    number: int
    """From 1, without holes."""
    key: str
    """What makes a second telling of the same a repetition."""
    wall_ns: int
    kind: str
    signer: str
    """LCT id of the host that signed."""
    previous: bytes
    """Link of the entry before."""
    body: bytes
    """Sealed."""
    digest: bytes = b""
    signature: bytes = b""
    content: bytes | None = None
    """SHA-256 of what is sealed in the body; None in entries of the first format."""


class Head(msgspec.Struct, frozen=True):
    """Where the chain ends."""

    number: int
    link: bytes
    signature: bytes


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """Something that is wrong, and with which entry."""

    number: int
    kind: str
    """`edited`, `forged`, `reordered`, `dropped`, `rolled back`; `derived` of what rests on the entries."""
    message: str


Opened = tuple[Entry, bytes | None]
"""An entry, and the SHA-256 of what its body opens to; None where it does not open."""
Check = Callable[[bytes, bytes], None]
"""(message, signature): raises `SealError` unless the host signed it."""


def digest(entry: Entry) -> bytes:
    """SHA-256 over all that an entry says, and over the entry before it. Its number follows from the chain."""
    form, body = ("sage/trust/1", entry.body) if entry.content is None else ("sage/trust/2", entry.content)
    said = (form, entry.previous, entry.key, entry.wall_ns, entry.kind, entry.signer, body)
    return hashlib.sha256(msgspec.msgpack.encode(said)).digest()


def content(plain: bytes) -> bytes:
    """What a digest covers of an entry's body."""
    return hashlib.sha256(plain).digest()


def link(entry_digest: bytes, signature: bytes) -> bytes:
    """What the next entry, or the head, holds of an entry."""
    return hashlib.sha256(entry_digest + signature).digest()


def entry_statement(entry_digest: bytes) -> bytes:
    """What is signed for an entry."""
    return b"sage/trust/entry\n" + entry_digest


def head_statement(number: int, last_link: bytes) -> bytes:
    """What is signed for the end of the chain."""
    return b"sage/trust/head\n" + number.to_bytes(8, "big") + last_link


def intact(entries: Iterable[Opened], head: Head | None, check: Check) -> bool:
    """Whether everything is as it was written, shown by hashes and the signature of the head alone."""
    number, last = 0, GENESIS
    for entry, found in entries:
        if found is None or (entry.content is not None and found != entry.content):
            return False
        if (entry.number, entry.previous, entry.digest) != (number + 1, last, digest(entry)):
            return False
        number, last = entry.number, link(entry.digest, entry.signature)
    if head is None:
        return number == 0
    try:
        check(head_statement(head.number, head.link), head.signature)
    except SealError:
        return False
    return (head.number, head.link) == (number, last)


def inspect(
    entries: Iterable[Opened], head: Head | None, signer: str, check: Check, links: Callable[[], frozenset[bytes]]
) -> Iterator[Finding]:
    """What is wrong with `entries`, in order of their numbers. `links` gives those of all entries, if it is asked."""
    number, last, sound = 0, GENESIS, True
    for entry, found in entries:
        fault = _fault(entry, found, signer, check)
        if fault:
            yield fault
        if sound and entry.previous != last:
            yield _break(number, entry, links)
        elif entry.number != number + 1:
            yield _missing(number + 1, entry.number - 1)
        number, last, sound = entry.number, link(entry.digest, entry.signature), fault is None
    yield from _end(number, last if sound else None, head, check)


def not_held(noted: Head, link_of: Callable[[int], bytes | None], end: int) -> Finding | None:
    """What is wrong where a head that was noted earlier is not in this chain, which ends at entry `end`."""
    held = link_of(noted.number)
    if noted.number == 0 or held == noted.link:
        return None
    if noted.number > end:
        message = f"the ledger ends at entry {end}, but had {noted.number} entries: an older state was put back"
    else:
        message = f"entry {noted.number} is not the one that was there when its head was noted"
    return Finding(number=noted.number, kind="rolled back", message=message)


def _fault(entry: Entry, found: bytes | None, signer: str, check: Check) -> Finding | None:
    """What is wrong with an entry by itself."""
    if digest(entry) != entry.digest:
        return Finding(number=entry.number, kind="edited", message=f"entry {entry.number} ({entry.key}) was edited")
    if entry.signer != signer:
        message = f"entry {entry.number} ({entry.key}) names {entry.signer} as its signer, which is not the host"
        return Finding(number=entry.number, kind="forged", message=message)
    try:
        check(entry_statement(entry.digest), entry.signature)
    except SealError:
        message = f"entry {entry.number} ({entry.key}) is not signed by the host"
        return Finding(number=entry.number, kind="forged", message=message)
    if found is None or (entry.content is not None and found != entry.content):
        message = f"entry {entry.number} ({entry.key}) was edited: what it says is not what was signed"
        return Finding(number=entry.number, kind="edited", message=message)
    return None


def _break(number: int, entry: Entry, links: Callable[[], frozenset[bytes]]) -> Finding:
    """Why `entry` does not follow entry `number`: what it follows stands elsewhere, or is gone."""
    if entry.previous == GENESIS or entry.previous in links():
        message = f"entry {entry.number} ({entry.key}) does not stand where it was written"
        return Finding(number=entry.number, kind="reordered", message=message)
    if entry.number > number + 1:
        return _missing(number + 1, entry.number - 1)
    message = f"what entry {entry.number} ({entry.key}) followed is missing"
    return Finding(number=entry.number, kind="dropped", message=message)


def _end(number: int, last: bytes | None, head: Head | None, check: Check) -> Iterator[Finding]:
    """What is wrong with the end: `number` and `last` are the number and the link of the last entry, if it is sound."""
    if head is None:
        if number:
            yield Finding(number=number, kind="dropped", message="the signed head of the chain is missing")
        return
    try:
        check(head_statement(head.number, head.link), head.signature)
    except SealError:
        yield Finding(number=head.number, kind="forged", message="the head of the chain is not signed by the host")
        return
    if head.number > number:
        yield _missing(number + 1, head.number)
    elif head.number < number:
        message = f"entries {head.number + 1} to {number} were added behind the signed head"
        yield Finding(number=head.number + 1, kind="forged", message=message)
    elif last is not None and head.link != last:
        message = f"entry {number} is not the one that the head was signed for"
        yield Finding(number=number, kind="forged", message=message)


def _missing(first: int, last: int) -> Finding:
    which = f"entry {first} is" if first == last else f"entries {first} to {last} are"
    return Finding(number=first, kind="dropped", message=f"{which} missing")
