"""Where all records go: into a log file per node, onto the console, and the last few of each node into memory."""

import os
import time
from collections import deque
from pathlib import Path
from typing import Any

from runtime.supervisor.console import Console
from runtime.supervisor.logfile import LogFile, log_path
from runtime.supervisor.records import Record, encode, tail
from runtime.supervisor.state import Counters

SELF = "supervisor"
REMEMBERED = 40
"""Records kept in memory per node, for a report of its end."""

LAST_LINES = 20


class Journal:
    """Keeps and shows records. A disk that is full costs lines, which are counted, never the supervisor."""

    def __init__(self, state_dir: Path, console: Console, counters: Counters) -> None:
        self._state_dir = state_dir
        self._console = console
        self._counters = counters
        self._files: dict[str, LogFile] = {}
        self._recent: dict[str, deque[Record]] = {}

    def take(self, node: str, records: list[Record]) -> None:
        self._counters.log_lines += len(records)
        self._recent.setdefault(node, deque(maxlen=REMEMBERED)).extend(records)
        file = self._files.get(node) or self._files.setdefault(node, LogFile(log_path(self._state_dir, node)))
        try:
            file.write(b"".join(map(encode, records)))
        except OSError:
            self._counters.log_lines_unwritten += len(records)
        for entry in records:
            self._console.show(entry)
        self._counters.console_lines_dropped = self._console.dropped

    def say(self, level: str, event: str, **fields: Any) -> None:
        """An event of the supervisor's own."""
        head = {"time": time.time(), "node": SELF, "pid": os.getpid(), "level": level, "event": event}
        self.take(SELF, [{**head, **fields}])

    def begin(self, node: str) -> None:
        """Forget what an earlier process of this node printed: a report of an end shows the end of that process."""
        self._recent.pop(node, None)

    def last_lines(self, node: str) -> list[str]:
        return tail(self._recent.get(node, ()), LAST_LINES)

    def close(self) -> None:
        for file in self._files.values():
            file.close()
