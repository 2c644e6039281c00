"""The supervisor's way to a terminal: a pipe that is never waited for, so that a slow terminal stops no watch."""

import asyncio
import os
from typing import Literal

from runtime.supervisor.records import Record, encode, render

Style = Literal["silent", "json", "plain", "colour"]

MAX_WAITING = 1 << 20
"""Bytes kept for a terminal that does not read; what comes beyond is dropped, counted, and said."""


class Console:
    """Shows records as they come, in one style, on a descriptor of its own that must not block."""

    def __init__(self, descriptor: int, style: Style, width: int) -> None:
        self._descriptor = descriptor
        self._style = style
        self._width = width
        self._waiting = bytearray()
        self._dropped_since = 0
        self.dropped = 0
        os.set_blocking(descriptor, False)

    def show(self, entry: Record) -> None:
        if self._style == "silent":
            return
        if len(self._waiting) > MAX_WAITING:
            self.dropped += 1
            self._dropped_since += 1
            return
        if self._dropped_since:
            self._queue(self._gap(entry))
        self._queue(entry)
        self._flush()

    def close(self) -> None:
        """Give what still waits one last chance, and close."""
        self._flush()
        asyncio.get_running_loop().remove_writer(self._descriptor)
        os.close(self._descriptor)

    def _gap(self, entry: Record) -> Record:
        count, self._dropped_since = self._dropped_since, 0
        return {
            "time": entry.get("time"),
            "node": "supervisor",
            "level": "warning",
            "event": "console.dropped",
            "lines": count,
            "hint": "the log files have them",
        }

    def _queue(self, entry: Record) -> None:
        if self._style == "json":
            self._waiting += encode(entry)
        else:
            self._waiting += (render(entry, colour=self._style == "colour", width=self._width) + "\n").encode()

    def _flush(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            while self._waiting:
                del self._waiting[: os.write(self._descriptor, self._waiting)]
        except BlockingIOError:
            loop.add_writer(self._descriptor, self._flush)
            return
        except OSError:  # nobody reads any more; the log files go on
            self._waiting.clear()
            self._style = "silent"
        loop.remove_writer(self._descriptor)
