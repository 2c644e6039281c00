"""A mailbox: whoever has its file open may put arrays in, and each is taken out by one reader. Linux only.

    box = Mailbox.create(path, slots=8, nbytes=16 << 20)       elsewhere: Mailbox.open(path)
    box.put(array, b"what it is")                              with box.take() as letter: letter.array

A slot is free, being written, ready, or being read, and whoever writes or reads it holds a lock on it that the kernel
gives back when that process dies: a letter that its writer did not finish is thrown away, one that its reader did not
finish is ready again, for another one. So every letter is read to its end at least once, and none before it is whole.

How it stands with the slots changes under one more lock, which is held for microseconds; letters themselves are written
and read without it, where they lie.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import select
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from protocol.errors import BadRequest, BulkCorrupt, BulkMissing, Overloaded, Oversized
from runtime.mailbox import locks
from runtime.mailbox.layout import (
    COUNTS,
    DIMENSIONS,
    FREE,
    LABEL_BYTES,
    READING,
    READY,
    WRITING,
    Envelope,
    Layout,
    Table,
)
from runtime.paths import private_directory

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_TABLE = 0
"""The byte whose holder may change how it stands with the slots; slot i has byte i + 1."""
PATIENCE_S = 5.0
"""How long whoever wants to change how it stands waits for another who does."""
_LOOK_S = 0.1
"""Whoever waits looks so often for what somebody left who died without a word."""
_NEWS, _ROOM = ".news", ".room"
"""Pipes beside the file: a byte in one says that there may be a letter, in the other that there may be a free slot."""


class Letter:
    """An array where it lies in the mailbox. It is taken out once it is read to the end."""

    def __init__(self, array: NDArray[Any], label: bytes) -> None:
        self.array = array
        """Read-only, and gone with the letter: copy what is to stay."""
        self.label = label


class Mailbox:
    """One process's end of a mailbox. Its threads may use it at once; a forked child opens its own."""

    def __init__(self, path: Path, descriptor: int, layout: Layout) -> None:
        self.path, self.layout = path, layout
        self._descriptor = descriptor
        self._memory = mmap.mmap(descriptor, layout.size)
        self._table = Table(self._memory, layout)
        self._alone = threading.Lock()
        """The kernel tells apart open files, not the threads of one."""
        self._closed = False
        self._mine: set[int] = set()
        """Slots that this end writes or reads."""
        self._pipes = {suffix: _pipe(path, suffix) for suffix in (_NEWS, _ROOM)}

    @classmethod
    def create(cls, path: Path, *, slots: int, nbytes: int) -> Mailbox:
        """Make a mailbox for `slots` letters of at most `nbytes` each, in place of what was there.

        All its memory is claimed at once: later nothing can fail for want of it. Raises OSError, NotPermitted.
        """
        if slots < 1 or nbytes < 1:
            raise BadRequest(f"{slots} slots of {nbytes} bytes are no mailbox", place=str(path))
        layout = Layout.holding(slots, nbytes)
        private_directory(path.parent)
        beside = path.with_name(f".{path.name}.{os.getpid()}.{os.urandom(4).hex()}")
        descriptor = os.open(beside, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            os.posix_fallocate(descriptor, 0, layout.size)
            os.pwrite(descriptor, layout.head, 0)
            for suffix in (_NEWS, _ROOM):
                Path(f"{path}{suffix}").unlink(missing_ok=True)
                os.mkfifo(f"{path}{suffix}", 0o600)
            beside.replace(path)
        except BaseException:
            os.close(descriptor)
            beside.unlink(missing_ok=True)
            raise
        return cls(path, descriptor, layout)

    @classmethod
    def open(cls, path: Path) -> Mailbox:
        """Raises BulkMissing, BulkCorrupt for what is no mailbox, FutureVersion for one of a later program."""
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError as error:
            raise BulkMissing("there is no mailbox", place=str(path), remedy="whoever owns it makes it") from error
        try:
            layout = Layout.read(os.pread(descriptor, 64, 0), os.fstat(descriptor).st_size, str(path))
        except BaseException:
            os.close(descriptor)
            raise
        return cls(path, descriptor, layout)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of it; the mailbox stays for others. What is being read is ready again, what is written is nothing."""
        with self._alone:
            self._closed = True
            for slot in self._mine:  # an array that is still held keeps the file open, and with it the locks
                locks.unlock(self._descriptor, slot + 1)
        for descriptor in (*self._pipes.values(), self._descriptor):
            os.close(descriptor)
        del self._table
        with contextlib.suppress(BufferError):  # an array of it is still held somewhere
            self._memory.close()

    def remove(self) -> None:
        """Take it away: nobody can open it any more."""
        for suffix in ("", _NEWS, _ROOM):
            Path(f"{self.path}{suffix}").unlink(missing_ok=True)

    def stats(self) -> dict[str, float]:
        """Of all its ends together."""
        counts = self._table.counts.tolist()
        states = self._table.states.tolist()
        return {
            **dict(zip(COUNTS, counts, strict=True)),
            "slots": self.layout.slots,
            "ready": states.count(READY),
            "writing": states.count(WRITING),
            "reading": states.count(READING),
        }

    # Putting in

    def put(self, array: NDArray[Any], label: bytes = b"", *, timeout: float | None = None) -> None:
        """Copy an array into a slot. Raises as `room` does."""
        with self.room(array.shape, array.dtype, label, timeout=timeout) as letter:
            letter[...] = array

    @contextlib.contextmanager
    def room(
        self, shape: tuple[int, ...], dtype: Any, label: bytes = b"", *, timeout: float | None = None
    ) -> Iterator[NDArray[Any]]:
        """An array in a slot, to be filled; it is a letter from the end of the block on, and nothing if that fails.

        Raises Oversized for what no slot holds, BadRequest for what is no plain array, BulkMissing where the mailbox is
        gone, and Overloaded where no slot has become free within `timeout` seconds (None: as long as it takes).
        """
        import numpy as np

        kind = np.dtype(dtype)
        self._check(shape, kind, label)
        slot = self._claim_free(timeout)
        letter = np.frombuffer(self._memory, kind, int(np.prod(shape, dtype=np.int64)), self.layout.letter(slot))
        try:
            yield letter.reshape(shape)
            self.layout.seal(self._memory, slot, Envelope(kind.str, shape, label))
        except BaseException:
            self._pass_on(slot, FREE, "given_back")
            self._ring(_ROOM)
            raise
        self._pass_on(slot, READY, "put")
        self._ring(_NEWS)

    def _check(self, shape: tuple[int, ...], kind: np.dtype[Any], label: bytes) -> None:
        place = str(self.path)
        if kind.hasobject or len(kind.str) > 16:
            raise BadRequest(f"{kind} is no plain number", place=place, remedy="send numbers, or bytes as uint8")
        if len(shape) > DIMENSIONS or len(label) > LABEL_BYTES:
            raise BadRequest(
                f"{len(shape)} dimensions and {len(label)} bytes of label; "
                f"at most {DIMENSIONS} and {LABEL_BYTES} are written beside a letter",
                place=place,
            )
        nbytes = kind.itemsize
        for length in shape:
            nbytes *= length
        if nbytes > self.layout.slot_bytes:
            raise Oversized(
                f"{nbytes} bytes, and a slot holds {self.layout.slot_bytes}",
                place=place,
                remedy="send it in parts, or make the mailbox for longer letters",
            )

    # Taking out

    @contextlib.contextmanager
    def take(self, *, timeout: float | None = None) -> Iterator[Letter | None]:
        """The letter that has waited longest, where it lies; None where none came within `timeout` seconds.

        Its slot is free from the end of the block on. If the block fails, the letter waits again, before all others.
        Raises BulkMissing where the mailbox is gone, and BulkCorrupt where somebody wrote into the letter meanwhile,
        who does not keep to the locks.
        """
        import numpy as np

        slot = self._claim_ready(timeout)
        if slot is None:
            yield None
            return
        sequence = int(self._table.sequences[slot])
        envelope = self.layout.envelope(self._memory, slot)
        count = int(np.prod(envelope.shape, dtype=np.int64))
        array = np.frombuffer(self._memory, envelope.dtype, count, self.layout.letter(slot)).reshape(envelope.shape)
        array.flags.writeable = False
        try:
            yield Letter(array, envelope.label)
        except BaseException:
            self._pass_on(slot, READY, "given_back")
            self._ring(_NEWS)
            raise
        torn = sequence % 2 == 1 or int(self._table.sequences[slot]) != sequence
        self._pass_on(slot, FREE, "taken")
        self._ring(_ROOM)
        if torn:
            raise BulkCorrupt(f"slot {slot} was written while it was read", place=str(self.path))

    # How it stands with the slots

    @contextlib.contextmanager
    def _changing(self) -> Iterator[Table]:
        with self._alone:
            if not locks.lock(self._descriptor, _TABLE, PATIENCE_S):
                raise Overloaded(
                    f"somebody has been changing it for {PATIENCE_S:g} s, which takes microseconds",
                    place=str(self.path),
                    remedy="a process that has it open may be stopped (SIGSTOP): let it go on, or end it",
                )
            try:
                yield self._table
            finally:
                locks.unlock(self._descriptor, _TABLE)

    def _claim_free(self, timeout: float | None) -> int:
        for slot in self._attempts(FREE, timeout, _ROOM):
            if slot is not None:
                return slot
        with self._changing() as table:
            table.count("full")
        raise Overloaded(
            f"all {self.layout.slots} slots of the mailbox are full",
            place=str(self.path),
            remedy="wait longer, or make it with more slots: its readers do not keep up",
        )

    def _claim_ready(self, timeout: float | None) -> int | None:
        return next((slot for slot in self._attempts(READY, timeout, _NEWS) if slot is not None), None)

    def _attempts(self, wanted: int, timeout: float | None, pipe: str) -> Iterator[int | None]:
        """Try at once, and again whenever there is news; each try yields the slot that was claimed, if one was."""
        end = None if timeout is None else time.monotonic() + timeout
        while True:
            self._check_place()
            yield self._claim(wanted)
            left = _LOOK_S if end is None else min(_LOOK_S, end - time.monotonic())
            if left <= 0:
                return
            self._wait(pipe, left)

    def _check_place(self) -> None:
        """Raises BulkMissing where nobody else can open what this end holds."""
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(self.path.stat(), os.fstat(self._descriptor)):
                return
        raise BulkMissing(
            "the mailbox was taken away, or made anew", place=str(self.path), remedy="close it and open it again"
        )

    def _claim(self, wanted: int) -> int | None:
        """The free slot, or the longest waiting letter's; it is locked then, and being written or read."""
        with self._changing() as table:
            if not (table.states == wanted).any():
                self._reclaim(table)
            slots = (table.states == wanted).nonzero()[0]
            if not len(slots):
                return None
            slot = int(slots[table.tickets[slots].argmin()])
            locks.try_lock(self._descriptor, slot + 1)  # first: a slot that is taken without a lock is a dead one's
            self._mine.add(slot)
            if wanted == FREE:
                table.tickets[slot] = table.next[0]
                table.next[0] += 1
                table.sequences[slot] += 1 + int(table.sequences[slot]) % 2
                table.states[slot] = WRITING
            else:
                table.states[slot] = READING
            return slot

    def _reclaim(self, table: Table) -> None:
        """What a process that is gone was writing is free, what it was reading is ready."""
        for slot, state in enumerate(table.states.tolist()):
            if state not in (WRITING, READING) or slot in self._mine:
                continue
            if locks.try_lock(self._descriptor, slot + 1):
                table.states[slot] = FREE if state == WRITING else READY
                table.count("writers_lost" if state == WRITING else "readers_lost")
                locks.unlock(self._descriptor, slot + 1)

    def _pass_on(self, slot: int, state: int, counted: str) -> None:
        if self._closed:  # whoever comes next finds the slot without its lock
            return
        with self._changing() as table:
            if state == READY and table.states[slot] == WRITING:
                table.sequences[slot] += 1
            table.states[slot] = state
            table.count(counted)
            self._mine.discard(slot)
            locks.unlock(self._descriptor, slot + 1)

    # News

    def _wait(self, pipe: str, seconds: float) -> None:
        descriptor = self._pipes[pipe]
        if select.select([descriptor], [], [], seconds)[0]:
            with contextlib.suppress(BlockingIOError):  # somebody else was sooner
                os.read(descriptor, 1)

    def _ring(self, pipe: str) -> None:
        with contextlib.suppress(BlockingIOError):  # there is news enough in it
            if not self._closed:
                os.write(self._pipes[pipe], b"\0")


def _pipe(path: Path, suffix: str) -> int:
    """Both ends in one: so it never ends, whoever comes and goes."""
    return os.open(f"{path}{suffix}", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
