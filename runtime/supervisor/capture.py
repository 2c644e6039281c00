"""Reads what one process prints, as it comes, and hands it on as records."""

import asyncio
import os
import time
from collections.abc import Callable

from runtime.supervisor.process import Running
from runtime.supervisor.records import Framer, Record, record

CHUNK = 64 * 1024
"""Bytes read at a time: a process that floods its output slows itself, not the supervisor."""

MAX_LAST_CHUNKS = 64


class Capture:
    """The two pipes of one running process. `take` gets records in the order in which the lines ended."""

    def __init__(self, node: str, running: Running, take: Callable[[str, list[Record]], None]) -> None:
        self._node = node
        self._pid = running.pid
        self._take = take
        self._open = {running.stdout: ("stdout", Framer()), running.stderr: ("stderr", Framer())}
        loop = asyncio.get_running_loop()
        for descriptor in self._open:
            loop.add_reader(descriptor, self._read, descriptor)

    def finish(self) -> None:
        """Take what is left in the pipes of a process that has ended, and close them."""
        for descriptor in list(self._open):
            for _ in range(MAX_LAST_CHUNKS):
                if not self._read(descriptor):
                    break
            self._close(descriptor)

    def _read(self, descriptor: int) -> bool:
        """Read a chunk; False if there is nothing more for now."""
        try:
            data = os.read(descriptor, CHUNK)
        except BlockingIOError:
            return False
        if not data:
            self._close(descriptor)
            return False
        stream, framer = self._open[descriptor]
        self._hand_on(stream, framer.feed(data))
        return True

    def _close(self, descriptor: int) -> None:
        if descriptor not in self._open:
            return
        stream, framer = self._open.pop(descriptor)
        asyncio.get_running_loop().remove_reader(descriptor)
        os.close(descriptor)
        self._hand_on(stream, framer.finish())

    def _hand_on(self, stream: str, lines: list[tuple[bytes, bool]]) -> None:
        now = time.time()
        records = [
            record(line, cut=cut, node=self._node, pid=self._pid, stream=stream, now=now) for line, cut in lines if line
        ]
        if records:
            self._take(self._node, records)
