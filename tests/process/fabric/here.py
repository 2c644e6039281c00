"""A hub and connections in the loop of the test itself, for what needs no process of its own."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from pathlib import Path

import structlog

from protocol.messages.hub import Register
from runtime.bus.connection import Bus
from runtime.hub.hub import Hub


class Here:
    """A run directory with a hub in it, and connections to it."""

    def __init__(self, stack: contextlib.AsyncExitStack) -> None:
        # Not pytest's tmp_path: a unix socket's path has at most 107 bytes.
        self.run_dir = Path(tempfile.mkdtemp(prefix="sg"))
        self._stack = stack
        stack.callback(shutil.rmtree, self.run_dir)

    async def open_hub(self) -> Hub:
        hub = Hub(self.run_dir, "here", structlog.get_logger())
        hub.open()
        self._stack.push_async_callback(hub.close)
        return hub

    async def connect(self, name: str, register: Register | None = None) -> Bus:
        bus = Bus(name=name, run_dir=self.run_dir, host="here", log=structlog.get_logger())
        if register is not None:
            bus.registration = lambda: register
        await bus.connect()
        self._stack.push_async_callback(bus.close)
        return bus
