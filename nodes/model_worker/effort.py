"""What a piece of work took: processor seconds always, and joules where a sensor of this machine counts them."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from runtime import power
from runtime.clock import Clock
from runtime.power import Meter, MeterError


@dataclass(frozen=True)
class Effort:
    cpu_s: float
    """Of this whole process."""
    joules: float
    """Of all that the sensor counts, whoever caused it; 0 where none does."""
    source: str
    """What counted the joules; empty where nothing did."""
    seconds: float


@dataclass(frozen=True)
class Mark:
    """Counters as they stood when a piece of work began."""

    cpu_s: float
    joules: float | None
    mono_ns: int


class Gauge:
    """Measures stretches of work on one device, with the best sensor that can be read there."""

    def __init__(self, clock: Clock, sensor: Callable[[str], Meter | None] = power.sensor) -> None:
        self._clock = clock
        self._sensor = sensor
        self._device = ""
        self._meter: Meter | None = None
        self._aside = threading.Lock()
        self._aside_s = 0.0
        """Processor seconds of work that was kept out of all stretches, and is over."""
        self._aside_clock: tuple[int, float] | None = None
        """Of the thread that does such work now: its clock, and how that stood when it began."""
        self.failed = 0
        """Times that a sensor could not be read; processor seconds spoke instead."""

    def use(self, device: str) -> None:
        """Measure work on this device from now on."""
        if device != self._device:
            self.close()
            self._device, self._meter = device, self._sensor(device)

    def begin(self) -> Mark:
        return Mark(self._cpu_s(), self._joules(), self._clock.mono_ns())

    def since(self, mark: Mark) -> Effort:
        cpu_s, joules = max(0.0, self._cpu_s() - mark.cpu_s), self._joules()
        seconds = (self._clock.mono_ns() - mark.mono_ns) / 1e9
        if self._meter is None or joules is None or mark.joules is None:
            return Effort(cpu_s, 0.0, "", seconds)
        return Effort(cpu_s, joules - mark.joules, self._meter.source, seconds)

    @contextmanager
    def aside(self) -> Iterator[Callable[[], Effort]]:
        """Keep what this thread spends out of every stretch measured meanwhile; gives what it took so far.

        One thread at a time. The joules of that time stay with whoever was measured: no sensor tells threads apart.
        """
        clock = time.pthread_getcpuclockid(threading.get_ident())
        began, began_ns = time.clock_gettime(clock), self._clock.mono_ns()

        def took() -> Effort:
            seconds = (self._clock.mono_ns() - began_ns) / 1e9
            return Effort(time.clock_gettime(clock) - began, 0.0, "", seconds)

        with self._aside:
            self._aside_clock = clock, began
        try:
            yield took
        finally:
            with self._aside:
                self._aside_clock = None
                self._aside_s += took().cpu_s

    def _cpu_s(self) -> float:
        with self._aside:
            running = time.clock_gettime(self._aside_clock[0]) - self._aside_clock[1] if self._aside_clock else 0.0
            return time.process_time() - self._aside_s - running

    def close(self) -> None:
        if self._meter is not None:
            self._meter.close()
        self._device, self._meter = "", None

    def _joules(self) -> float | None:
        if self._meter is None:
            return None
        try:
            return self._meter.joules()
        except MeterError:
            self.failed += 1
            return None
