"""Locks on single bytes of a file, held by an open file: the kernel gives them back when its last process is gone.

Open file description locks (`fcntl(2)`), not `flock`: one file carries as many as there are bytes, and closing another
descriptor of the same file lets go of none.
"""

from __future__ import annotations

import fcntl
import os
import struct

_FLOCK = struct.Struct("@hhqqi4x")
"""struct flock of Linux on 64-bit machines: type, whence, start, length, pid."""


def lock(descriptor: int, byte: int) -> None:
    """Wait for the byte."""
    fcntl.fcntl(descriptor, fcntl.F_OFD_SETLKW, _flock(fcntl.F_WRLCK, byte))


def try_lock(descriptor: int, byte: int) -> bool:
    """Whether nobody else held it; then it is held now."""
    try:
        fcntl.fcntl(descriptor, fcntl.F_OFD_SETLK, _flock(fcntl.F_WRLCK, byte))
    except BlockingIOError:
        return False
    return True


def unlock(descriptor: int, byte: int) -> None:
    fcntl.fcntl(descriptor, fcntl.F_OFD_SETLK, _flock(fcntl.F_UNLCK, byte))


def _flock(kind: int, byte: int) -> bytes:
    return _FLOCK.pack(kind, os.SEEK_SET, byte, 1, 0)
