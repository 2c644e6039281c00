"""sd_notify, both ends: a process tells whoever supervises it that it is ready, alive, or stopping.

The protocol is systemd's (sd_notify(3)): lines `KEY=VALUE` in one unix datagram to the socket named by NOTIFY_SOCKET.
So a node runs under systemd as it does under our supervisor, and a foreign program that speaks to systemd speaks to us.
One key is ours: X_SAGE_STATE=starting|ready|degraded|stopping.
"""

import asyncio
import os
import socket
import struct
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from msgspec import Struct

MAX_DATAGRAM = 4096
"""Bytes of one notification; a longer one is cut by the kernel and counted as malformed."""

PATIENCE_S = 1
"""How long what must not be lost (readiness, states) waits while the supervisor's queue is full. A beat never waits."""

_CREDENTIALS = struct.Struct("3i")  # struct ucred: pid, uid, gid


class Notifier:
    """The supervised side. Without NOTIFY_SOCKET everything is a no-op, so a node also runs alone."""

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        self._address = environment.get("NOTIFY_SOCKET", "").replace("@", "\0", 1)
        self._socket: socket.socket | None = None
        self.watchdog: Final = _watchdog(environment)
        """Seconds within which `beat` must be called again, None if nobody watches. Beat at least twice as often."""

    def ready(self, status: str = "") -> bool:
        return self.send(READY="1", X_SAGE_STATE="ready", STATUS=status)

    def beat(self) -> bool:
        return self._send(b"WATCHDOG=1", socket.MSG_DONTWAIT)

    def state(self, state: str, status: str = "") -> bool:
        """Say in which state we are, and in a sentence why."""
        return self.send(X_SAGE_STATE=state, STATUS=status)

    def stopping(self, status: str = "") -> bool:
        return self.send(STOPPING="1", X_SAGE_STATE="stopping", STATUS=status)

    def extend(self, seconds: float) -> bool:
        """Ask for `seconds` from now on before the current start or stop counts as failed."""
        return self.send(EXTEND_TIMEOUT_USEC=str(int(seconds * 1e6)))

    def send(self, **fields: str) -> bool:
        """Send what is not empty. False if nobody took it: a supervisor that is away must not stop a node."""
        lines = [f"{key}={' '.join(value.split())}" for key, value in fields.items() if value]
        return self._send("\n".join(lines).encode(errors="replace")[:MAX_DATAGRAM])

    def _send(self, message: bytes, flags: int = 0) -> bool:
        if not self._address:
            return False
        if self._socket is None:
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
            # Not settimeout(): an unconnected socket always polls writable, so Python would spin on a full queue.
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", PATIENCE_S, 0))
        try:
            self._socket.sendto(message, flags, self._address)
        except OSError:
            return False
        return True

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None


class Notification(Struct, frozen=True):
    """One datagram: who sent it (by the kernel's word, not the sender's) and what it says."""

    pid: int
    fields: dict[str, str]


class NotifyStats(Struct):
    received: int = 0
    malformed: int = 0
    """not KEY=VALUE lines in UTF-8, or longer than MAX_DATAGRAM"""
    foreign: int = 0
    """from another user"""


class NotifyServer:
    """The supervising side: a datagram socket at `path` whose messages reach `receive` inside the running loop."""

    def __init__(self, path: Path, receive: Callable[[Notification], None]) -> None:
        self.path = path
        self.stats = NotifyStats()
        self._receive = receive
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK)

    def open(self) -> None:
        """Bind (replacing a stale socket: the caller holds the lock of the directory) and start to read."""
        self.path.unlink(missing_ok=True)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        self._socket.bind(os.fspath(self.path))
        self.path.chmod(0o600)
        asyncio.get_running_loop().add_reader(self._socket, self._drain)

    def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self._socket)
        self._socket.close()
        self.path.unlink(missing_ok=True)

    def _drain(self) -> None:
        # Everything that waits is read before any deadline is looked at: after a pause of ours, beats come first.
        while True:
            try:
                data, ancillary, flags, _ = self._socket.recvmsg(MAX_DATAGRAM, socket.CMSG_SPACE(_CREDENTIALS.size))
            except BlockingIOError:
                return
            self._take(data, ancillary, flags)

    def _take(self, data: bytes, ancillary: list[tuple[int, int, bytes]], flags: int) -> None:
        self.stats.received += 1
        pid, uid = sender(ancillary)
        if uid not in (os.getuid(), 0):
            self.stats.foreign += 1
            return
        try:
            fields = parse(data)
        except ValueError:
            self.stats.malformed += 1
            return
        if flags & socket.MSG_TRUNC:
            self.stats.malformed += 1
            return
        self._receive(Notification(pid, fields))


def parse(data: bytes) -> dict[str, str]:
    """The fields of one datagram. ValueError if it is not KEY=VALUE lines in UTF-8."""
    fields: dict[str, str] = {}
    for line in data.decode().splitlines():
        key, separator, value = line.partition("=")
        if not separator or not key:
            raise ValueError(f"{line!r} is not KEY=VALUE")
        fields[key] = value
    return fields


def sender(ancillary: list[tuple[int, int, bytes]]) -> tuple[int, int]:
    """Process and user id of a datagram's sender, (0, -1) if the kernel did not say."""
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_CREDENTIALS and len(data) >= _CREDENTIALS.size:
            pid, uid, _ = _CREDENTIALS.unpack_from(data)
            return pid, uid
    return 0, -1


def _watchdog(environment: Mapping[str, str]) -> float | None:
    """Seconds of WATCHDOG_USEC, if it is meant for this process (WATCHDOG_PID, where given)."""
    period, pid = environment.get("WATCHDOG_USEC", ""), environment.get("WATCHDOG_PID", "")
    if not period.isdigit() or int(period) == 0 or pid not in ("", str(os.getpid())):
        return None
    return int(period) / 1e6
