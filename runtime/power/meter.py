"""What all meters have in common, and which one to trust for a piece of work."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


class Meter(Protocol):
    @property
    def source(self) -> str: ...

    def probe(self) -> str:
        """Why nothing can be read, exactly; empty where the meter is ready."""

    def joules(self) -> float:
        """A counter that never falls; only differences mean something. Raises MeterError."""

    def close(self) -> None: ...


@dataclass(frozen=True)
class Readiness:
    source: str
    problem: str
    """Why it cannot be read; empty where it can."""


def sensors(device: str) -> list[Meter]:
    """Every kind of sensor there might be, best first, for work on a `cpu` or on `cuda`."""
    from runtime.power.ina import Ina
    from runtime.power.nvml import Nvml
    from runtime.power.rapl import Rapl

    return [Ina(), Nvml()] if device.startswith("cuda") else [Ina(), Rapl()]


def sensor(device: str) -> Meter | None:
    """The best sensor that can be read, None where there is none: processor seconds must speak then."""
    found = None
    for meter in sensors(device):
        if found is None and not meter.probe():
            found = meter
        else:
            meter.close()
    return found


def readiness() -> list[Readiness]:
    """What each kind of sensor says of itself on this machine."""
    found: dict[str, Readiness] = {}
    for meter in (*sensors("cuda"), *sensors("cpu")):
        found.setdefault(meter.source, Readiness(meter.source, meter.probe()))
        meter.close()
    return list(found.values())
