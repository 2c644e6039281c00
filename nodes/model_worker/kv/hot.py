"""Chunks in shared memory, unpacked: what one worker has computed or read, others of the same model map. No torch.

    DIR/ab12….hot    one chunk, named by its address; whole from the moment it has that name

Whoever maps a chunk holds a lease on it: a shared lock that the kernel gives back when the mapping ends, also with a
process that is killed. Only what nobody leases is removed to make room. The memory belongs to the host's user alone, as
a process's own does, so it is not sealed; a keyed hash over all of it is checked before it is believed.
"""

import contextlib
import fcntl
import hashlib
import mmap
import os
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from nodes.model_worker.kv.chunkfile import Content, Keys
from runtime.paths import private_directory

MAGIC, VERSION = b"SAGEKH\r\n", 1
HOT = ".hot"
_PREFIX = struct.Struct("<8sHI")
_ALIGNED = 64


class Head(msgspec.Struct, frozen=True, kw_only=True):
    model: str
    """The fingerprint as one word."""
    dtype: str
    shape: list[int]
    ids: list[int]
    name: bytes
    """Keyed hash over all else, and the content."""


@dataclass(frozen=True)
class Mapped:
    """A chunk in shared memory; leased for as long as `memory` lives. Writing into it changes a copy."""

    dtype: str
    shape: list[int]
    ids: list[int]
    memory: mmap.mmap
    start: int
    """Of the content in `memory`."""


@dataclass
class HotCounts:
    mapped: int = 0
    put: int = 0
    removed: int = 0
    """For want of room."""
    spoiled: int = 0


class Hot:
    """The shared chunks of one vault. Several processes may have it open."""

    def __init__(self, directory: Path, keys: Keys, *, budget: int) -> None:
        """`budget`: bytes. Raises ConfigError or NotPermitted for a directory that will not do."""
        self.directory = private_directory(directory)
        self.counts = HotCounts()
        self._keys = keys
        self._budget = budget

    def put(self, address: str, model: str, content: Content) -> bool:
        """Share a chunk, if there is room or what nobody leases can make some. Raises OSError."""
        path = self._path(address)
        if path.exists():
            os.utime(path)
            return True
        head = self._head(model, content)
        start = _start(head)
        size = start + sum(map(len, content.layers))
        if not self._make_room(size):
            return False
        beside = path.with_name(f".{address}.{os.getpid()}.{os.urandom(4).hex()}")
        try:
            with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write((_PREFIX.pack(MAGIC, VERSION, len(head)) + head).ljust(start, b"\0"))
                file.writelines(content.layers)
            beside.replace(path)
        finally:
            beside.unlink(missing_ok=True)
        self.counts.put += 1
        return True

    def map(self, address: str, model: str) -> Mapped | None:
        """The chunk, leased, if it is shared; what is spoiled is removed, and is not."""
        try:
            descriptor = os.open(self._path(address), os.O_RDWR)
        except OSError:
            return None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH)
            os.utime(descriptor)
            # The mapping keeps the file open, and with it the lock, until it is gone itself.
            memory = mmap.mmap(descriptor, 0, access=mmap.ACCESS_COPY)
        except (OSError, ValueError):
            return None
        finally:
            os.close(descriptor)
        found = self._checked(memory, model)
        if found is None:
            self.counts.spoiled += 1
            self._path(address).unlink(missing_ok=True)
            return None
        self.counts.mapped += 1
        return found

    @property
    def nbytes(self) -> int:
        return sum(size for _, _, size in self._files())

    def close(self) -> None:
        """Remove what no process leases any more."""
        for path, _, _ in self._files():
            self._remove(path)
        with contextlib.suppress(OSError):
            self.directory.rmdir()

    def _head(self, model: str, content: Content) -> bytes:
        name = self._name(model, content.dtype, content.shape, content.ids, content.layers)
        return msgspec.msgpack.encode(
            Head(model=model, dtype=content.dtype, shape=content.shape, ids=list(content.ids), name=name)
        )

    def _name(
        self, model: str, dtype: str, shape: list[int], ids: Sequence[int], parts: Sequence[bytes | memoryview]
    ) -> bytes:
        total = hashlib.sha256()
        for part in parts:
            total.update(part)
        return self._keys.name(b"hot", msgspec.msgpack.encode((model, dtype, shape, list(ids))), total.digest())

    def _checked(self, memory: mmap.mmap, model: str) -> Mapped | None:
        if len(memory) < _PREFIX.size:
            return None
        magic, version, length = _PREFIX.unpack_from(memory)
        if (magic, version) != (MAGIC, VERSION) or _PREFIX.size + length > len(memory):
            return None
        try:
            packed = memory[_PREFIX.size : _PREFIX.size + length]
            head = msgspec.msgpack.decode(packed, type=Head)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return None
        start = _start(packed)
        with memoryview(memory) as whole, whole[start:] as content:
            name = self._name(head.model, head.dtype, head.shape, head.ids, [content])
        if name != head.name or head.model != model:
            return None
        return Mapped(head.dtype, head.shape, head.ids, memory, start)

    def _make_room(self, size: int) -> bool:
        files = sorted(self._files(), key=lambda file: file[1])
        held = sum(nbytes for _, _, nbytes in files)
        for path, _, nbytes in files:
            if held + size <= self._budget:
                break
            if self._remove(path):
                self.counts.removed += 1
                held -= nbytes
        return held + size <= self._budget

    def _remove(self, path: Path) -> bool:
        """Whether it could be: nobody leases it."""
        try:
            descriptor = os.open(path, os.O_RDWR)
        except OSError:
            return True
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink(missing_ok=True)
        except OSError:
            return False
        finally:
            os.close(descriptor)
        return True

    def _files(self) -> list[tuple[Path, int, int]]:
        """(path, when last used in ns, bytes) of each."""
        found = []
        with contextlib.suppress(OSError):
            for entry in os.scandir(self.directory):
                with contextlib.suppress(OSError):
                    known = entry.stat()
                    found.append((Path(entry.path), known.st_mtime_ns, known.st_size))
        return found

    def _path(self, address: str) -> Path:
        return self.directory / f"{address}{HOT}"


def _start(head: bytes) -> int:
    """Where the content begins, so that numbers lie aligned."""
    return -(-(_PREFIX.size + len(head)) // _ALIGNED) * _ALIGNED
