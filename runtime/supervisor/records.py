"""What processes print, as records: bytes to lines, lines to records, records to bytes for a file or a terminal. Pure.

A record is one JSON object: `time` (Unix seconds), `node`, `pid`, `stream`, and either the fields that the process
logged as JSON itself (`level`, `event`, …) or, for anything else, the line as `text`.
"""

import zlib
from collections.abc import Iterable
from typing import Any

import msgspec

MAX_LINE = 64 * 1024
"""Bytes; a longer line goes on in the next record, all but the last marked `cut`."""

MAX_SHOWN = 500
"""Characters of one line in a report of an end."""

Record = dict[str, Any]

_COLOURS = (36, 32, 33, 35, 34, 96, 92, 93, 95, 94)
_LEVEL_COLOURS = {"debug": 2, "warning": 33, "error": 31, "critical": 31}
_OURS = ("time", "node", "pid", "stream", "cut")
_SHOWN_BEFORE = (*_OURS, "level", "event", "text", "timestamp", "exception", "last")


class Framer:
    """Cuts a stream of bytes into lines, however they arrive, holding at most MAX_LINE bytes."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[tuple[bytes, bool]]:
        """Lines completed by `data`, each with whether it was cut for its length."""
        whole = self._rest + data
        *lines, self._rest = whole.split(b"\n")
        found: list[tuple[bytes, bool]] = []
        for line in lines:
            found += _pieces(line)
        while len(self._rest) > MAX_LINE:
            found.append((self._rest[:MAX_LINE], True))
            self._rest = self._rest[MAX_LINE:]
        return found

    def finish(self) -> list[tuple[bytes, bool]]:
        """What was printed without an end of line."""
        rest, self._rest = self._rest, b""
        return _pieces(rest) if rest else []


def _pieces(line: bytes) -> list[tuple[bytes, bool]]:
    line = line.removesuffix(b"\r")
    starts = range(0, max(len(line), 1), MAX_LINE)
    return [(line[at : at + MAX_LINE], at + MAX_LINE < len(line)) for at in starts]


def record(line: bytes, *, cut: bool, node: str, pid: int, stream: str, now: float) -> Record:
    """The record of one line. Bytes that are not UTF-8 are shown as escapes; who and when is ours to say."""
    head: Record = {"time": now, "node": node, "pid": pid, "stream": stream}
    if cut:
        head["cut"] = True
    fields = _json_object(line) if not cut else None
    if fields is None:
        return {**head, "text": line.decode("utf-8", "backslashreplace")}
    return {**head, **{key: value for key, value in fields.items() if key not in _OURS}}


def encode(entry: Record) -> bytes:
    """The record as one line of JSON, with its end."""
    return msgspec.json.encode(entry) + b"\n"


def decode(line: bytes) -> Record | None:
    """The record in a line of a log file; None for one that a crash left incomplete."""
    return _json_object(line)


def render(entry: Record, *, colour: bool, width: int) -> str:
    """The record for people: its node, padded to `width` and in a colour of its own, before each line of `body`."""
    node = str(entry.get("node", ""))
    label = _paint(f"{node:<{width}} │", node_colour(node), colour=colour)
    return "\n".join(f"{label} {line}" for line in body(entry, colour=colour))


def body(entry: Record, *, colour: bool = False) -> list[str]:
    """Level, event and fields on one line and a trace below it, or the text as it was printed."""
    if "text" in entry and "event" not in entry:
        return [_printable(str(entry["text"]))]
    level = str(entry.get("level", "info"))
    shown = [
        _paint(f"{level:<7}", _LEVEL_COLOURS.get(level, 0), colour=colour),
        _paint(_printable(str(entry.get("event", ""))), 1, colour=colour),
        *(f"{key}={_shown(value)}" for key, value in entry.items() if key not in _SHOWN_BEFORE),
    ]
    trace, last = entry.get("exception"), entry.get("last")
    below = [*(trace.splitlines() if isinstance(trace, str) else ()), *(last if isinstance(last, list) else ())]
    return [" ".join(filter(None, shown)), *(f"  {_printable(str(line))}" for line in below)]


def node_colour(node: str) -> int:
    """The same colour for the same node in every run."""
    return _COLOURS[zlib.crc32(node.encode()) % len(_COLOURS)]


def tail(entries: Iterable[Record], count: int) -> list[str]:
    """The last `count` lines that a process printed, each cut to MAX_SHOWN, for a report of its end."""
    return [line[:MAX_SHOWN] for entry in entries for line in body(entry)][-count:]


def _json_object(line: bytes) -> Record | None:
    if not line.startswith(b"{"):
        return None
    try:
        fields = msgspec.json.decode(line)
    except (msgspec.DecodeError, RecursionError):
        return None
    return fields if isinstance(fields, dict) else None


def _shown(value: Any) -> str:
    if isinstance(value, str):
        return _printable(value) if value and " " not in value else repr(value)
    if isinstance(value, float):
        return f"{value:g}"
    return _printable(msgspec.json.encode(value).decode())


def _printable(text: str) -> str:
    """`text` without control characters: what a process prints must not command the terminal."""
    return "".join(c if c.isprintable() or c == "\t" else f"\\x{ord(c):02x}" for c in text)


def _paint(text: str, code: int, *, colour: bool) -> str:
    return f"\x1b[{code}m{text}\x1b[0m" if colour and code else text
