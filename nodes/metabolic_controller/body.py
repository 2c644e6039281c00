"""What the machine itself feels: heat, charge, and how busy other programs keep it. Where a sensor is missing, nothing.

    temperature   the hottest of /sys/class/thermal, °C
    battery       charge of the emptiest battery that is discharging, 0..1
    load          share of all processors that processes other than this system's own have used since the last look

This system's own processes are those descended from the one that started the controller: its own work is accounted for
in energy, and must not keep it from dreaming.
"""

from __future__ import annotations

import os
from enum import IntEnum
from pathlib import Path

import msgspec

from nodes.metabolic_controller.config import BodyConfig
from runtime import sensors


class Strain(IntEnum):
    """How much the machine itself asks to be spared."""

    NONE = 0
    SOME = 1
    """Nothing demanding is begun."""
    MUCH = 2
    """What is demanding is left."""


class Body(msgspec.Struct, frozen=True, kw_only=True):
    """One look. None where there is no sensor."""

    temperature: float | None = None
    battery: float | None = None
    load: float | None = None


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """Processor time in ticks since the machine began, or since the processes did."""

    at_s: float
    busy: int
    """Of all processors together, other than idle."""
    own: int
    """Of this system's processes."""


def strain(body: Body, config: BodyConfig) -> tuple[Strain, str]:
    """How strained it is, and by what, in words."""
    worst, why = Strain.NONE, ""
    for found, words in (
        (_above(body.temperature, config.cool, config.hot), f"{body.temperature:.0f} °C" if body.temperature else ""),
        (_below(body.battery, config.battery_enough, config.battery_low), f"battery at {body.battery or 0:.0%}"),
        (_above(body.load, config.idle, config.busy), f"other programs use {body.load or 0:.0%} of the machine"),
    ):
        if found > worst:
            worst, why = found, words
    return worst, why


def look(before: Usage | None, now: Usage | None, root: Path = Path("/")) -> Body:
    """The sensors below `root`, and the load between two measurements of usage."""
    return Body(
        temperature=sensors.temperature(root),
        battery=sensors.battery(root, discharging=True),
        load=load(before, now) if before and now else None,
    )


def load(before: Usage, now: Usage) -> float | None:
    """Share of all processors that others used between the two; None where no time has passed."""
    ticks = (now.at_s - before.at_s) * os.sysconf("SC_CLK_TCK") * (os.cpu_count() or 1)
    if ticks <= 0:
        return None
    own = max(0, now.own - before.own)
    return min(1.0, max(0.0, (now.busy - before.busy - own) / ticks))


def usage(now_s: float, ancestor: int, root: Path = Path("/")) -> Usage | None:
    """Processor time used so far, by all and by the descendants of process `ancestor`; None without /proc."""
    try:
        fields = (root / "proc/stat").read_text().split("\n", 1)[0].split()[1:]
        ticks = [int(field) for field in fields]
    except (OSError, ValueError):
        return None
    if len(ticks) < 5:
        return None
    busy = sum(ticks[:3]) + sum(ticks[5:8])  # user, nice, system; interrupts and time stolen: all but idle and iowait
    return Usage(at_s=now_s, busy=busy, own=_own(ancestor, root))


def _own(ancestor: int, root: Path) -> int:
    parents: dict[int, int] = {}
    used: dict[int, int] = {}
    for entry in (root / "proc").iterdir():
        if entry.name.isdigit() and (stat := _text(entry / "stat")):
            # The name in parentheses may hold anything; the fields begin after the last one.
            fields = stat.rpartition(")")[2].split()
            pid = int(entry.name)
            # With that of children that ended: their time must not be taken for that of others.
            parents[pid], used[pid] = int(fields[1]), sum(map(int, fields[11:15]))
    return sum(ticks for pid, ticks in used.items() if _descends(pid, ancestor, parents))


def _descends(pid: int, ancestor: int, parents: dict[int, int]) -> bool:
    seen = 0
    while pid > 1 and pid != ancestor and seen <= len(parents):
        pid, seen = parents.get(pid, 0), seen + 1
    return pid == ancestor


def _above(value: float | None, some: float, much: float) -> Strain:
    if value is None or value < some:
        return Strain.NONE
    return Strain.SOME if value < much else Strain.MUCH


def _below(value: float | None, some: float, much: float) -> Strain:
    if value is None or value >= some:
        return Strain.NONE
    return Strain.SOME if value >= much else Strain.MUCH


def _text(path: Path) -> str:
    """The file's content; "" where it cannot be read, as of a process that has just ended."""
    try:
        return path.read_text()
    except (OSError, UnicodeDecodeError):
        return ""
