"""The event plane: every event from every node to every subscriber, without passing through Python."""

from __future__ import annotations

import contextlib
import threading

import zmq

from runtime.bus.transport import Endpoints, make_socket


class Forwarder:
    """`zmq.proxy` between XSUB and XPUB, in a thread that never takes the interpreter's lock while it forwards.

    A subscriber that does not read fills its own queue and loses from there; the others do not notice. What is lost
    shows at the reader as a gap in the sequence.
    """

    def __init__(self, context: zmq.Context[zmq.Socket[bytes]], endpoints: Endpoints) -> None:
        self._front = make_socket(context, zmq.XSUB)
        self._back = make_socket(context, zmq.XPUB)
        self._front.bind(endpoints.events_in)
        self._back.bind(endpoints.events_out)
        self._thread = threading.Thread(target=self._forward, name="forwarder", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def join(self) -> None:
        """Wait for the thread; it ends when the context is terminated."""
        self._thread.join()

    def _forward(self) -> None:
        with contextlib.suppress(zmq.ContextTerminated):
            zmq.proxy(self._front, self._back)
        self._front.close()
        self._back.close()
