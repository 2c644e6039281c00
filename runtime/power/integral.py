"""Joules from a sensor that only tells watts: read many times a second, the area under the readings."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from runtime.power.errors import MeterError

EVERY_S = 0.05


class Area:
    """The area under readings, by the trapezoidal rule. Values in, values out."""

    def __init__(self) -> None:
        self.joules = 0.0
        self._last: tuple[float, float] | None = None

    def add(self, at_s: float, watts: float) -> None:
        """A reading; one that is not later than the last counts for nothing."""
        if self._last is None:
            self._last = at_s, watts
            return
        then_s, before = self._last
        if at_s > then_s:
            self.joules += (at_s - then_s) * (watts + before) / 2
            self._last = at_s, watts


class Integral:
    """Reads `watts` on a thread of its own until closed. What is shorter than `every_s` may be missed."""

    def __init__(
        self,
        watts: Callable[[], float],
        every_s: float = EVERY_S,
        seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        """`watts` raises OSError or ValueError where it cannot be read."""
        self._watts = watts
        self._seconds = seconds
        self._area = Area()
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._problem = ""
        self._read()
        self._thread = threading.Thread(target=self._keep_reading, args=(every_s,), name="power", daemon=True)
        self._thread.start()

    def joules(self) -> float:
        """Up to now. Raises MeterError where the sensor could not be read the last time."""
        self._read()
        with self._lock:
            if self._problem:
                raise MeterError(f"cannot be read any more: {self._problem}", place="power sensor")
            return self._area.joules

    def close(self) -> None:
        self._ended.set()
        self._thread.join()

    def _keep_reading(self, every_s: float) -> None:
        while not self._ended.wait(every_s):
            self._read()

    def _read(self) -> None:
        with self._lock:
            try:
                self._area.add(self._seconds(), self._watts())
                self._problem = ""
            except (OSError, ValueError) as error:
                self._problem = str(error)
