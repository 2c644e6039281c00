"""The one way to make a socket, and the one way to read one from an event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import zmq

from protocol.header import FRAME_LIMIT
from runtime.paths import socket_path

TRANSPORT_LIMIT = 4 * FRAME_LIMIT
"""Bytes of a frame that ZeroMQ itself lets through. Between this and FRAME_LIMIT a message is refused by name;
past it the connection is closed, and the hub counts that."""

_HIGH_WATER = 20_000
_LINGER_MS = 200
_RECONNECT_MS = 50
_RECONNECT_MAX_MS = 500
_BATCH = 128

Frames = list[bytes]


class Endpoints:
    """Where the hub of a run directory listens."""

    def __init__(self, run_dir: Path) -> None:
        self.events_in = f"ipc://{socket_path(run_dir, 'events-in')}"
        self.events_out = f"ipc://{socket_path(run_dir, 'events-out')}"
        self.calls = f"ipc://{socket_path(run_dir, 'calls')}"


def make_context() -> zmq.Context[zmq.Socket[bytes]]:
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    context.setsockopt(zmq.LINGER, _LINGER_MS)
    return context


def make_socket(
    context: zmq.Context[zmq.Socket[bytes]], kind: int, *, high_water: int = _HIGH_WATER
) -> zmq.Socket[bytes]:
    """A socket with this project's options. The context gives it a bounded linger, so that no exit hangs."""
    sock: zmq.Socket[bytes] = context.socket(kind)
    sock.set_hwm(high_water)
    sock.setsockopt(zmq.MAXMSGSIZE, TRANSPORT_LIMIT)
    sock.setsockopt(zmq.RECONNECT_IVL, _RECONNECT_MS)
    sock.setsockopt(zmq.RECONNECT_IVL_MAX, _RECONNECT_MAX_MS)
    sock.setsockopt(zmq.HANDSHAKE_IVL, 3000)
    return sock


class Pump:
    """Reads a socket whenever it has something, a batch at a time, and hands every message to one function.

    ZeroMQ's descriptor is edge-triggered: any operation on the socket may consume the edge. So a batch that did not
    reach the end is continued, and whoever sends on the socket calls `poke` afterwards.
    """

    def __init__(
        self, sock: zmq.Socket[bytes], on_message: Callable[[Frames], None], loop: asyncio.AbstractEventLoop
    ) -> None:
        self._sock = sock
        self._on_message = on_message
        self._loop = loop
        self._scheduled = False
        self._closed = False
        self._fd: int = sock.FD
        loop.add_reader(self._fd, self._drain)
        self._schedule()

    def poke(self) -> None:
        """Look again: something was sent on the socket, or its subscriptions changed."""
        if not self._scheduled and not self._closed and int(self._sock.EVENTS) & zmq.POLLIN:
            self._schedule()

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._loop.remove_reader(self._fd)

    def _schedule(self) -> None:
        self._scheduled = True
        self._loop.call_soon(self._drain)

    def _drain(self) -> None:
        self._scheduled = False
        receive, on_message = self._sock.recv_multipart, self._on_message
        try:
            for _ in range(_BATCH):
                if self._closed:
                    return
                on_message(receive(zmq.NOBLOCK))
        except zmq.Again:
            return
        except Exception:
            # The edge is spent: without another look the socket would stay silent for ever.
            self._schedule()
            raise
        self._schedule()
