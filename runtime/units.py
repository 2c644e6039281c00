"""Durations and sizes as people write them: `1.5s`, `200ms`, `5m`, `512MiB`. Inside they are seconds and bytes.

`Duration` and `Size` are plain numbers to the type checker; the metadata tells `runtime.config` that in a file they
carry a unit. A bare number is refused there: nobody remembers whether a deadline of 500 meant seconds.
"""

import re
from typing import Annotated

from msgspec import Meta

Duration = Annotated[float, Meta(ge=0, extra={"unit": "duration"})]
"""Seconds. In files: a number and one of ms, s, m, h, d."""

Size = Annotated[int, Meta(ge=0, extra={"unit": "size"})]
"""Bytes. In files: a number and one of B, KiB, MiB, GiB, TiB (or kB, MB, GB, TB)."""

SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
BYTES = {
    "B": 1,
    "kB": 1000,
    "MB": 1000**2,
    "GB": 1000**3,
    "TB": 1000**4,
    "KiB": 1024,
    "MiB": 1024**2,
    "GiB": 1024**3,
    "TiB": 1024**4,
}
LARGEST = 2**53
"""Quantities beyond this are refused: a float no longer tells them apart."""

_QUANTITY = re.compile(r"(\d{1,15}(?:\.\d{1,9})?)\s?([A-Za-z]+)", re.ASCII)


def parse_duration(text: str) -> float:
    """Seconds from `1.5s`, `200ms`, `5m`, `2h`, `1d`. ValueError says what was expected."""
    return _parse(text, SECONDS, "a duration such as 200ms, 1.5s, 5m or 2h")


def parse_size(text: str) -> int:
    """Bytes from `512MiB`, `64kB`, `1.5GiB`; a fraction of a byte is dropped. ValueError says what was expected."""
    return int(_parse(text, BYTES, "a size such as 64KiB, 512MiB or 2GiB"))


def format_duration(seconds: float) -> str:
    """The shortest of `200ms`, `1.5s`, `5m`, `2h` that says the same, to a millisecond."""
    for unit in ("d", "h", "m", "s"):
        if seconds >= SECONDS[unit] and round(seconds * 1000) % round(SECONDS[unit] * 1000) == 0:
            return f"{round(seconds / SECONDS[unit])}{unit}"
    if seconds >= 1:
        return f"{seconds:.3f}".rstrip("0").rstrip(".") + "s"
    return f"{round(seconds * 1000):d}ms"


def format_size(size: int) -> str:
    """Bytes with the largest binary unit that leaves a number of at least one, to one digit: `1.5GiB`."""
    for unit in ("TiB", "GiB", "MiB", "KiB"):
        if size >= BYTES[unit]:
            return f"{round(size / BYTES[unit], 1):g}{unit}"
    return f"{size}B"


def _parse(text: str, units: dict[str, float] | dict[str, int], expected: str) -> float:
    match = _QUANTITY.fullmatch(text.strip())
    if match is None or match[2] not in units:
        raise ValueError(f"{expected} was expected")
    value = float(match[1]) * units[match[2]]
    if value > LARGEST:
        raise ValueError("that is beyond anything this machine could mean")
    return value
