"""The INA3221 power monitor of a Jetson, as the kernel's hwmon shows it: volts and amperes of each rail, no energy.

Of the rails that a board names, either one is the whole module (`VDD_IN`), or all of them together are, but for those
that hang on another one: `VDDQ_VDD2_1V8AO` is fed by `VIN_SYS_5V0`. `NC` is connected to nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from runtime.power.integral import Integral

ROOT = Path("/sys/class/hwmon")
WHOLE = ("VDD_IN", "POM_5V_IN", "5V_IN")
APART = ("NC", "VDDQ_VDD2_1V8AO")
CHANNELS = (1, 2, 3)


@dataclass(frozen=True)
class Rail:
    label: str
    volts: Path
    """File that holds millivolts."""
    amperes: Path
    """File that holds milliamperes."""

    def watts(self) -> float:
        """Raises OSError and ValueError."""
        return max(0.0, int(self.volts.read_text()) * int(self.amperes.read_text()) / 1e6)


def rails(root: Path = ROOT) -> list[Rail]:
    """Every labelled rail of every INA3221 below `root`. Raises OSError."""
    chips = [chip for chip in sorted(root.glob("hwmon*")) if _text(chip / "name") == "ina3221"]
    return [
        Rail(label, chip / f"in{channel}_input", chip / f"curr{channel}_input")
        for chip in chips
        for channel in CHANNELS
        if (label := _text(chip / f"in{channel}_label"))
    ]


def counted(found: list[Rail]) -> list[Rail]:
    """Of the rails, those that together are the module, once each."""
    whole = [rail for rail in found if rail.label in WHOLE]
    return whole[:1] or [rail for rail in found if rail.label not in APART]


class Ina:
    source = "ina"

    def __init__(self, root: Path = ROOT) -> None:
        self._root = root
        self._rails: list[Rail] = []
        self._integral: Integral | None = None

    def probe(self) -> str:
        if not self._root.is_dir():
            return f"there is no {self._root}"
        try:
            self._rails = counted(rails(self._root))
            if not self._rails:
                return f"no INA3221 under {self._root}"
            self._watts()
        except PermissionError as error:
            return f"{error.filename} may not be read by this user"
        except (OSError, ValueError) as error:
            return f"cannot be read: {error}"
        return ""

    def joules(self) -> float:
        """Begins to measure when first asked."""
        if self._integral is None:
            self._integral = Integral(self._watts)
        return self._integral.joules()

    def close(self) -> None:
        if self._integral is not None:
            self._integral.close()

    def _watts(self) -> float:
        return sum(rail.watts() for rail in self._rails)


def _text(path: Path) -> str:
    try:
        return path.read_text().strip()
    except FileNotFoundError:
        return ""
