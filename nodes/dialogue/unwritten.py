"""What could not be written down waits in memory until it can be: nobody is left without an answer by a full disk.

In order, and bounded: past the bound the oldest is given up, and counted.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable

from nodes.dialogue.store import StoreUnwritable

MOST = 256
"""Finished exchanges that wait."""

Write = Callable[[], None]


class Unwritten:
    def __init__(self) -> None:
        self._waiting: deque[Write] = deque()
        self._lock = threading.Lock()
        self.problem = ""
        """Why the first of them cannot be written; empty while none waits."""
        self.given_up = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, write: Write) -> None:
        """Write it after all that waits; where that cannot be, it waits too. May be called by several threads."""
        with self._lock:
            self._waiting.append(write)
            self._write_all()
            while len(self._waiting) > MOST:
                self._waiting.popleft()
                self.given_up += 1

    def again(self) -> None:
        """Try to write what waits."""
        with self._lock:
            self._write_all()

    def stats(self) -> dict[str, float]:
        return {"waiting": len(self._waiting), "given_up": self.given_up}

    def _write_all(self) -> None:
        self.problem = ""
        while self._waiting:
            try:
                self._waiting[0]()
            except StoreUnwritable as error:
                self.problem = str(error)
                return
            except BaseException:
                self._waiting.popleft()  # no room on the disk would help it
                raise
            self._waiting.popleft()
