"""RAPL counters under /sys/class/powercap: microjoules per zone, beginning anew at a limit of their own.

Zones are `intel-rapl:P` (a package, or `psys`, the whole platform) and `intel-rapl:P:S` (a part of a package). Counted
are the packages, and their memory (`dram`), which is not part of them; `core` and `uncore` are parts, `psys` holds the
packages. A counter that fell has begun anew once: it must be read at least once in its period (262 kJ on most
machines: three quarters of an hour at 100 W).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from runtime.power.errors import MeterError

ROOT = Path("/sys/class/powercap")
_ZONE = re.compile(r"intel-rapl:\d+(:\d+)?")


@dataclass(frozen=True)
class Zone:
    path: Path
    limit_uj: int
    """Past this the counter begins at 0 again."""


def counted(names: Mapping[str, str]) -> list[str]:
    """Of the zones (directory → its `name`), those that together are the machine's processors and memory, once each."""
    return sorted(
        zone
        for zone, name in names.items()
        if (match := _ZONE.fullmatch(zone)) and (name == "dram" if match[1] else name.startswith("package"))
    )


def advanced(before_uj: int, now_uj: int, limit_uj: int) -> int:
    """Microjoules between two readings of a counter that begins anew past `limit_uj`."""
    return now_uj - before_uj if now_uj >= before_uj else now_uj - before_uj + limit_uj + 1


class Rapl:
    source = "rapl"

    def __init__(self, root: Path = ROOT) -> None:
        self._root = root
        self._zones: list[Zone] = []
        self._last: dict[Path, int] = {}
        self._total_uj = 0

    def probe(self) -> str:
        if not self._root.is_dir():
            return f"there is no {self._root}: no RAPL, or the kernel lacks CONFIG_POWERCAP"
        try:
            names = {path.name: (path / "name").read_text().strip() for path in sorted(self._root.glob("intel-rapl:*"))}
            zones = [self._root / zone for zone in counted(names)]
            if not zones:
                return f"no processor package under {self._root}"
            self._zones = [Zone(path, int((path / "max_energy_range_uj").read_text())) for path in zones]
            self._last = {zone.path: _microjoules(zone.path) for zone in self._zones}
        except PermissionError as error:
            return f"{error.filename} may be read by root alone (chmod a+r it, if you accept that others see it too)"
        except (OSError, ValueError) as error:
            return f"cannot be read: {error}"
        return ""

    def joules(self) -> float:
        for zone in self._zones:
            try:
                now = _microjoules(zone.path)
            except (OSError, ValueError) as error:
                raise MeterError(f"cannot be read any more: {error}", place=str(zone.path)) from error
            self._total_uj += advanced(self._last[zone.path], now, zone.limit_uj)
            self._last[zone.path] = now
        return self._total_uj / 1e6

    def close(self) -> None:
        """Nothing is held."""


def _microjoules(zone: Path) -> int:
    return int((zone / "energy_uj").read_text())
