"""Log files: JSON Lines, appended, rotated by size. `dialogue.jsonl` is the newest, `dialogue.jsonl.4` the oldest."""

import os
from pathlib import Path

MAX_BYTES = 4 << 20
KEPT = 4
"""Rotated files beside the one being written."""


def log_path(state_dir: Path, node: str) -> Path:
    """Where the log of `node` lies; a slash in its name becomes a dot."""
    return state_dir / "logs" / f"{node.replace('/', '.')}.jsonl"


def rotated(path: Path) -> list[Path]:
    """All files of one log that exist, oldest first."""
    names = [path.with_name(f"{path.name}.{i}") for i in range(KEPT, 0, -1)]
    return [name for name in (*names, path) if name.exists()]


class LogFile:
    """Appends lines to one log."""

    def __init__(self, path: Path, max_bytes: int = MAX_BYTES) -> None:
        self.path = path
        self._max_bytes = max_bytes
        self._descriptor: int | None = None
        self._size = 0

    def write(self, lines: bytes) -> None:
        """Append whole lines, first turning the file over if it is full. OSError if the disk will not take them."""
        if self._descriptor is None:
            self._open()
        if self._size and self._size + len(lines) > self._max_bytes:
            self._turn_over()
        descriptor = self._descriptor
        assert descriptor is not None
        view = memoryview(lines)
        while view:
            written = os.write(descriptor, view)
            self._size += written
            view = view[written:]

    def close(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _open(self) -> None:
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        self._descriptor = os.open(self.path, flags, 0o600)
        self._size = os.fstat(self._descriptor).st_size
        if self._size and not _ends_in_newline(self.path):
            os.write(self._descriptor, b"\n")  # what a crash or a full disk left incomplete ends here

    def _turn_over(self) -> None:
        self.close()
        for i in range(KEPT, 0, -1):
            older = self.path.with_name(f"{self.path.name}.{i}")
            newer = self.path.with_name(f"{self.path.name}.{i - 1}") if i > 1 else self.path
            if newer.exists():
                newer.replace(older)
        self._open()


def _ends_in_newline(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read(1) == b"\n"
