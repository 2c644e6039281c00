"""The record in which every benchmark and experiment ends: where it ran, what it measured, which goals it met.

A goal that could not be measured stays in the record, unmet, with nothing measured.
"""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import msgspec


class Goal(msgspec.Struct, frozen=True, kw_only=True):
    """Something that was to be reached. Made by `at_most` or `at_least`."""

    id: str
    statement: str
    target: float
    measured: float | None
    met: bool


class Record(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    environment: dict[str, Any]
    figures: dict[str, Any]
    goals: list[Goal]


def at_most(ident: str, statement: str, *, target: float, measured: float | None) -> Goal:
    """A goal met by measuring `target` or less; not met where nothing was measured."""
    met = measured is not None and measured <= target
    return Goal(id=ident, statement=statement, target=target, measured=measured, met=met)


def at_least(ident: str, statement: str, *, target: float, measured: float | None) -> Goal:
    """A goal met by measuring `target` or more; not met where nothing was measured."""
    met = measured is not None and measured >= target
    return Goal(id=ident, statement=statement, target=target, measured=measured, met=met)


def environment(*, quick: bool, seed: int, packages: tuple[str, ...] = ()) -> dict[str, Any]:
    """Where and how it ran: machine, load when it began, versions of Python and of `packages`."""
    return {
        "machine": platform.machine(),
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "system": f"{platform.system()} {platform.release()}",
        "load_before": round(os.getloadavg()[0], 2),
        "python": platform.python_version(),
        "versions": {name: _version(name) for name in ("sage-runtime", *packages)},
        "quick": quick,
        "seed": seed,
    }


READABLE = 120
"""Figures that a terminal shows."""


def report(record: Record, *, text: str = "", brief: bool = False) -> str:
    """The record as Markdown: goals, then `text`, then every figure; `brief`: no more of them than can be read."""
    lines = [f"# {record.name}", "", "| goal | target | measured | |", "|---|---|---|---|"]
    for goal in record.goals:
        verdict = "met" if goal.met else "not met"
        lines.append(f"| {goal.statement} | {_shown(goal.target)} | {_shown(goal.measured)} | {verdict} |")
    if text:
        lines += ["", text.strip()]
    figures = _table(record.figures)
    if brief and len(figures) > READABLE:
        figures = [f"{len(figures) - 2:,} figures: `--out DIRECTORY` writes them down, `--json` prints them"]
    lines += ["", "## Figures", "", *figures, "", "## Environment", "", *_table(record.environment), ""]
    return "\n".join(lines)


def _table(values: dict[str, Any]) -> list[str]:
    rows = [f"| {name} | {_shown(value)} |" for name, value in _flat(values)]
    return ["| | |", "|---|---|", *rows]


def _flat(values: dict[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    """Nested figures under dotted names, in their order."""
    found: list[tuple[str, Any]] = []
    for name, value in values.items():
        if isinstance(value, dict):
            found += _flat(value, f"{prefix}{name}.")
        else:
            found.append((f"{prefix}{name}", value))
    return found


def _shown(value: Any) -> str:
    if value is None:
        return "not measured"
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return str(value).replace("|", "\\|")


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            found = [line.split(":", 1)[1].strip() for line in file if line.lower().startswith("model name")]
    except OSError:
        found = []
    return found[0] if found else platform.processor() or "unknown"


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"
