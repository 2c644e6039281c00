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
_BATCH = 64

Frames = list[bytes]

# pyzmq's flags are enums; their arithmetic costs as much as a send.
_NOW = int(zmq.NOBLOCK)
_MORE = int(zmq.NOBLOCK | zmq.SNDMORE)
_READABLE = int(zmq.POLLIN)


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


def send(sock: zmq.Socket[bytes], parts: Frames) -> None:
    """Send a message without waiting. Raises `zmq.Again` where the socket does not take it."""
    for part in parts[:-1]:
        sock.send(part, _MORE)
    sock.send(parts[-1], _NOW)


def receive(sock: zmq.Socket[bytes]) -> Frames:
    """The next message, without waiting. Raises `zmq.Again` where there is none."""
    # A Frame knows whether more follows; asking the socket takes longer than all the rest.
    frame: zmq.Frame = sock.recv(_NOW, False)
    parts = [frame.bytes]
    while frame.more:
        frame = sock.recv(_NOW, False)
        parts.append(frame.bytes)
    return parts


class Pump:
    """Reads a socket whenever it has something, a batch at a time, and hands every message to one function.

    ZeroMQ's descriptor is edge-triggered: any operation on the socket may consume the edge. So a batch that did not
    reach the end is continued, and whoever sends on the socket calls `poke` afterwards. After an edge comes a batch of
    one: what waits for a lone message need not wait until it is known that it was alone.
    """

    def __init__(
        self, sock: zmq.Socket[bytes], on_message: Callable[[Frames], None], loop: asyncio.AbstractEventLoop
    ) -> None:
        self._sock = sock
        self._on_message = on_message
        self._loop = loop
        self.alone = False
        """Whether the message being handed over is not known to have others behind it."""
        self._scheduled = False
        self._closed = False
        self._fd: int = sock.FD
        loop.add_reader(self._fd, self._take, 1)
        self._schedule()

    def poke(self) -> None:
        """Look again: something was sent on the socket, or its subscriptions changed."""
        if not self._scheduled and not self._closed and int(self._sock.get(zmq.EVENTS)) & _READABLE:
            self._schedule()

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._loop.remove_reader(self._fd)

    def _schedule(self) -> None:
        if not self._scheduled:
            self._scheduled = True
            self._loop.call_soon(self._go_on)

    def _go_on(self) -> None:
        self._scheduled = False
        self._take(_BATCH)

    def _take(self, most: int) -> None:
        self.alone = most == 1 and not self._scheduled
        try:
            for _ in range(most):
                if self._closed:
                    return
                self._on_message(receive(self._sock))
        except zmq.Again:
            return
        except Exception:
            # The edge is spent: without another look the socket would stay silent for ever.
            self._schedule()
            raise
        self._schedule()
