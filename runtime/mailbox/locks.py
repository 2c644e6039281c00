"""Locks on single bytes of a file, held by an open file: the kernel gives them back when its last process is gone.

Open file description locks (`fcntl(2)`), not `flock`: one file carries as many as there are bytes, and closing another
descriptor of the same file lets go of none.
"""

from __future__ import annotations

import fcntl
import os
import struct
import time

_FLOCK = struct.Struct("@hhqqi4x")
"""struct flock of Linux on 64-bit machines: type, whence, start, length, pid."""


_AGAIN_S = 0.0001


def lock(descriptor: int, byte: int, patience_s: float) -> bool:
    """Wait for the byte, but no longer than that; whether it is held now."""
    if try_lock(descriptor, byte):
        return True
    end = time.monotonic() + patience_s
    while time.monotonic() < end:
        time.sleep(_AGAIN_S)
        if try_lock(descriptor, byte):
            return True
    return False


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
