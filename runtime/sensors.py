"""What the machine says of itself: charge and heat. Where there is no sensor, nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path


def temperature(root: Path = Path("/")) -> float | None:
    """°C of the hottest zone. That of a Jetson's power chip always says 100, and is none."""
    zones = [
        _number(zone / "temp")
        for zone in (root / "sys/class/thermal").glob("thermal_zone*")
        if not _text(zone / "type").startswith("PMIC")
    ]
    return max((zone / 1000 for zone in zones if zone is not None), default=None)


def battery(root: Path = Path("/"), *, discharging: bool = False) -> float | None:
    """Charge, 0..1, of the emptiest battery that powers the machine; of those that are discharging, if that is asked.

    None where there is none.
    """
    charges = (
        _number(supply / "capacity")
        for supply in _batteries(root)
        if not discharging or _text(supply / "status") == "Discharging"
    )
    return min((charge / 100 for charge in charges if charge is not None), default=None)


def _batteries(root: Path) -> Iterator[Path]:
    for supply in (root / "sys/class/power_supply").glob("*"):
        if _text(supply / "type") == "Battery" and _text(supply / "scope") != "Device":  # such as a mouse has
            yield supply


def _number(path: Path) -> float | None:
    try:
        return float(_text(path))
    except ValueError:
        return None


def _text(path: Path) -> str:
    """The file's one line; "" where it cannot be read."""
    try:
        return path.read_text().strip()
    except (OSError, UnicodeDecodeError):
        return ""
