"""Reading logs back: merged by time, filtered, and followed while they grow and turn over."""

import heapq
import os
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from runtime.supervisor.logfile import log_path, rotated
from runtime.supervisor.records import Record, body, decode

Wanted = Callable[[Record], bool]


def nodes_with_logs(state_dir: Path) -> list[str]:
    """Names of all nodes that ever logged here; a dot in a file's name stands for a slash."""
    return sorted(path.name.removesuffix(".jsonl").replace(".", "/") for path in (state_dir / "logs").glob("*.jsonl"))


def wanted(*, since: float | None = None, pattern: re.Pattern[str] | None = None) -> Wanted:
    """A filter: not older than `since` (Unix seconds), and `pattern` occurs in what people are shown."""

    def accept(entry: Record) -> bool:
        if since is not None and _time(entry) < since:
            return False
        return pattern is None or any(pattern.search(line) for line in body(entry))

    return accept


def history(state_dir: Path, nodes: Iterable[str], accept: Wanted) -> Iterator[Record]:
    """Accepted records of these nodes, oldest first."""
    logs = [_records(rotated(log_path(state_dir, node))) for node in nodes]
    return filter(accept, heapq.merge(*logs, key=_time))


class Follower:
    """What comes after the end that logs had when this was made."""

    def __init__(self, state_dir: Path, nodes: list[str] | None, accept: Wanted) -> None:
        self._state_dir = state_dir
        self._nodes = nodes
        self._accept = accept
        self._tails = {node: _Tail(log_path(state_dir, node), at_end=True) for node in self._followed()}

    def fresh(self) -> list[Record]:
        """Accepted records since the last call, by time. A node that logs for the first time is followed too."""
        for node in self._followed():
            if node not in self._tails:
                self._tails[node] = _Tail(log_path(self._state_dir, node), at_end=False)
        entries = [entry for tail in self._tails.values() for entry in tail.fresh() if self._accept(entry)]
        return sorted(entries, key=_time)

    def _followed(self) -> list[str]:
        return nodes_with_logs(self._state_dir) if self._nodes is None else self._nodes


class _Tail:
    """The end of one file, across its turning over."""

    def __init__(self, path: Path, *, at_end: bool) -> None:
        self._path = path
        self._descriptor: int | None = None
        self._rest = b""
        self._open(at_end=at_end)

    def fresh(self) -> Iterator[Record]:
        yield from self._read()
        if self._turned_over():
            yield from self._read()  # what came between the last look and the turning over
            self._open(at_end=False)
            yield from self._read()

    def _open(self, *, at_end: bool) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
        try:
            self._descriptor = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            self._descriptor = None
            return
        if at_end:
            os.lseek(self._descriptor, 0, os.SEEK_END)

    def _turned_over(self) -> bool:
        try:
            now = self._path.stat().st_ino
        except FileNotFoundError:
            return False
        return self._descriptor is None or os.fstat(self._descriptor).st_ino != now

    def _read(self) -> Iterator[Record]:
        while self._descriptor is not None and (data := os.read(self._descriptor, 1 << 16)):
            *lines, self._rest = (self._rest + data).split(b"\n")
            yield from filter(None, map(decode, lines))


def _records(paths: list[Path]) -> Iterator[Record]:
    for path in paths:
        with path.open("rb") as file:
            yield from filter(None, map(decode, file))


def _time(entry: Record) -> float:
    time = entry.get("time")
    return float(time) if isinstance(time, (int, float)) else 0.0
