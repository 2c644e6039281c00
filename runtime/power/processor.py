"""Where no sensor tells: processor seconds of this process, at so many watts."""

from __future__ import annotations

import time
from collections.abc import Callable


class Processor:
    source = "cpu"

    def __init__(self, watts: float, seconds: Callable[[], float] = time.process_time) -> None:
        """`watts`: what a busy core is taken to draw. `seconds`: a counter of processor seconds."""
        self.watts = watts
        self._seconds = seconds

    def probe(self) -> str:
        return ""

    def joules(self) -> float:
        return self._seconds() * self.watts

    def close(self) -> None:
        """Nothing is held."""
