"""The one clock. Everything that needs time takes a `Clock`, so that tests can hold it still."""

from __future__ import annotations

import time


class Clock:
    """Wall and monotonic time of this host, in nanoseconds."""

    def wall_ns(self) -> int:
        return time.time_ns()

    def mono_ns(self) -> int:
        """`CLOCK_MONOTONIC`: comparable between processes of one host, and never stepped."""
        return time.monotonic_ns()


class VirtualClock(Clock):
    """Time that passes only when told to."""

    def __init__(self, *, wall_ns: int = 1_700_000_000_000_000_000, mono_ns: int = 1_000_000_000) -> None:
        self._wall_ns = wall_ns
        self._mono_ns = mono_ns

    def wall_ns(self) -> int:
        return self._wall_ns

    def mono_ns(self) -> int:
        return self._mono_ns

    def advance(self, seconds: float) -> None:
        step = round(seconds * 1e9)
        self._wall_ns += step
        self._mono_ns += step
