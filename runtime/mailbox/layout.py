"""Where what lies in a mailbox's file.

head        magic, version, number of slots, bytes of a slot
states      uint64 [slots]
tickets     uint64 [slots]: the order in which letters were begun
sequences   uint64 [slots]: odd while a letter is written, even when it is whole
next        uint64: the next ticket
counts      uint64 [len(COUNTS)]: of all processes together
envelopes   one fixed-size record for each slot: what its letter is
letters     [slots, bytes of a slot], each beginning on a page
"""

from __future__ import annotations

import mmap
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

from protocol.errors import BulkCorrupt, FutureVersion

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MAGIC, VERSION = b"SAGEMBX\n", 1
LABEL_BYTES = 1024
"""What may be said of a letter beside it."""
DIMENSIONS = 8
_HEAD = struct.Struct("<8sIIQ")
_ENVELOPE = struct.Struct(f"<16sBH{DIMENSIONS}Q{LABEL_BYTES}s")
_PAGE = mmap.PAGESIZE

FREE, WRITING, READY, READING = range(4)
COUNTS = ("put", "taken", "given_back", "writers_lost", "readers_lost", "full")


@dataclass(frozen=True)
class Envelope:
    """What a letter is."""

    dtype: str
    shape: tuple[int, ...]
    label: bytes


@dataclass(frozen=True)
class Layout:
    slots: int
    slot_bytes: int
    """A multiple of the page."""

    @classmethod
    def holding(cls, slots: int, nbytes: int) -> Layout:
        """For letters of at most so many bytes."""
        return cls(slots, _pages(nbytes))

    @classmethod
    def read(cls, head: bytes, size: int, place: str) -> Layout:
        """Of a file of `size` bytes. Raises BulkCorrupt for what is no mailbox, FutureVersion for a later one."""
        if len(head) < _HEAD.size:
            raise BulkCorrupt("too short for a mailbox", place=place)
        magic, version, slots, slot_bytes = _HEAD.unpack_from(head)
        if magic != MAGIC:
            raise BulkCorrupt("is no mailbox: it begins otherwise", place=place)
        if version != VERSION:
            raise FutureVersion(f"is a mailbox of version {version}, this program knows {VERSION}", place=place)
        layout = cls(slots, slot_bytes)
        if size != layout.size:
            raise BulkCorrupt(f"has {size} bytes, a mailbox of {slots} slots {layout.size}", place=place)
        return layout

    @property
    def head(self) -> bytes:
        return _HEAD.pack(MAGIC, VERSION, self.slots, self.slot_bytes)

    @property
    def size(self) -> int:
        return self._letters + self.slots * self.slot_bytes

    @property
    def _envelopes(self) -> int:
        return _aligned(_HEAD.size) + self.slots * (8 + 8 + 8) + 8 + 8 * len(COUNTS)

    @property
    def _letters(self) -> int:
        return _pages(self._envelopes + self.slots * _ENVELOPE.size)

    def letter(self, slot: int) -> int:
        """Where it begins."""
        return self._letters + slot * self.slot_bytes

    def seal(self, memory: mmap.mmap, slot: int, envelope: Envelope) -> None:
        shape = (*envelope.shape, *[0] * (DIMENSIONS - len(envelope.shape)))
        _ENVELOPE.pack_into(
            memory,
            self._envelopes + slot * _ENVELOPE.size,
            envelope.dtype.encode(),
            len(envelope.shape),
            len(envelope.label),
            *shape,
            envelope.label,
        )

    def envelope(self, memory: mmap.mmap, slot: int) -> Envelope:
        dtype, dimensions, length, *shape, label = _ENVELOPE.unpack_from(
            memory, self._envelopes + slot * _ENVELOPE.size
        )
        return Envelope(dtype.rstrip(b"\0").decode(), tuple(shape[:dimensions]), label[:length])


class Table:
    """The part of the file that says how it stands with the slots, as arrays in the shared memory itself."""

    def __init__(self, memory: mmap.mmap, layout: Layout) -> None:
        import numpy as np

        at = _aligned(_HEAD.size)

        def column(length: int) -> NDArray[np.uint64]:
            nonlocal at
            found = np.frombuffer(memory, np.uint64, length, at)
            at += found.nbytes
            return found

        self.states = column(layout.slots)
        self.tickets = column(layout.slots)
        self.sequences = column(layout.slots)
        self.next = column(1)
        self.counts = column(len(COUNTS))

    def count(self, name: str) -> None:
        self.counts[COUNTS.index(name)] += 1


def _aligned(size: int) -> int:
    return -(-size // 8) * 8


def _pages(size: int) -> int:
    return -(-size // _PAGE) * _PAGE
