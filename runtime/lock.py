"""A lock on a directory's role, held for life: one hub, one supervisor per run directory; a second learns of the first.

The kernel releases the lock when its holder dies, however it dies; the text inside only says who that is. The file is
never deleted: two processes could then hold locks on two files of one name.
"""

import fcntl
import os
import time
from pathlib import Path

import msgspec

from protocol.errors import AlreadyRunning

RETRIES = 5
RETRY_SECONDS = 0.02
"""Somebody who only asks `holder` has the lock for a moment; that is not worth a refusal."""


class Holder(msgspec.Struct, frozen=True):
    """Who holds a lock: the process, since when (Unix seconds), and its command line."""

    pid: int
    since: float
    command: str


class Lock:
    """An exclusive lock, held until `release` or the end of the process."""

    def __init__(self, descriptor: int, path: Path) -> None:
        self._descriptor = descriptor
        self.path = path

    @classmethod
    def hold(cls, path: Path, *, what: str, remedy: str = "") -> "Lock":
        """Take the lock at `path`. AlreadyRunning says which process has it; `what` names what is locked."""
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            _take(descriptor, path, what, remedy)
        except BaseException:
            os.close(descriptor)
            raise
        lock = cls(descriptor, path)
        lock.sign()
        return lock

    def sign(self) -> None:
        """Write down that this process is the holder: after a fork, the one that will live with the lock does so."""
        text = msgspec.json.encode(Holder(os.getpid(), time.time(), _command_line()))
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, text, 0)

    def hand_over(self) -> None:
        """Let go without unlocking: a forked process has the lock too, and keeps it."""
        os.close(self._descriptor)

    def release(self) -> None:
        os.ftruncate(self._descriptor, 0)
        os.close(self._descriptor)


def holder(path: Path) -> Holder | None:
    """Who holds the lock at `path`, None if it is free. A holder that has not yet signed has pid 0."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return _read(descriptor)
        return None
    finally:
        os.close(descriptor)


def _take(descriptor: int, path: Path, what: str, remedy: str) -> None:
    for _ in range(RETRIES):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(RETRY_SECONDS)
        else:
            return
    found = _read(descriptor)
    raise AlreadyRunning(
        f"{what} is held by process {found.pid} ({found.command})",
        place=str(path),
        remedy=remedy or f"stop it first (kill {found.pid}), or name another directory in SAGE_RUN_DIR",
        detail={"pid": found.pid, "command": found.command, "since": found.since},
    )


def _read(descriptor: int) -> Holder:
    try:
        return msgspec.json.decode(os.pread(descriptor, 4096, 0), type=Holder)
    except msgspec.DecodeError:
        return Holder(0, 0.0, "unknown: it has only just started")


def _command_line(limit: int = 200) -> str:
    words = Path("/proc/self/cmdline").read_bytes().rstrip(b"\0").split(b"\0")
    line = b" ".join(words).decode(errors="replace")
    return line if len(line) <= limit else line[: limit - 1] + "…"
