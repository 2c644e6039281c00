"""What moved, hour by hour, as it is told and drawn. Values in, values out."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import Any

from nodes.metabolic_controller.accounts import BUDGET, INCOME, MICRO, RESERVE, SPENT
from protocol.messages.metabolism import Moved

KINDS = ("exchange", "dream", "load", "embedding", "base")
HEADER = ("hour", "income", "reserve", *KINDS, "exchanges")
_COLOURS = ("#1b6ca8", "#6a4c93", "#edae49", "#3a8f6b", "#9aa5b1")


def hours(moved: Iterable[Moved]) -> list[dict[str, Any]]:
    """One record an hour, in ATP: what came in, and what was spent on what; `exchanges` counts those that cost."""
    found: dict[int, dict[str, Any]] = {}
    for one in moved:
        record = found.setdefault(
            one.hour_ns,
            {"hour_ns": one.hour_ns, "income": 0.0, "reserve": 0.0, "spent": dict.fromkeys(KINDS, 0.0), "exchanges": 0},
        )
        if one.target == BUDGET and one.source in {INCOME, RESERVE}:
            record[one.source] += one.micro / MICRO
        elif one.target.startswith(SPENT):
            kind = one.target.removeprefix(SPENT)
            record["spent"][kind] = record["spent"].get(kind, 0.0) + one.micro / MICRO
            record["exchanges"] += one.count if kind == "exchange" else 0
    return [found[hour] for hour in sorted(found)]


def rows(told: Sequence[dict[str, Any]]) -> list[tuple[str, ...]]:
    """As cells of a table with `HEADER`."""
    return [
        (
            time.strftime("%Y-%m-%d %H:00", time.localtime(one["hour_ns"] / 1e9)),
            f"{one['income']:.2f}",
            f"{one['reserve']:.2f}",
            *(f"{one['spent'].get(kind, 0.0):.2f}" for kind in KINDS),
            str(one["exchanges"]),
        )
        for one in told
    ]


def picture(told: Sequence[dict[str, Any]]) -> Any:
    """A matplotlib figure: what was spent as stacked bars above the line, what came in as a line."""
    from datetime import datetime, timedelta

    from matplotlib.dates import ConciseDateFormatter
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 5), layout="constrained")
    axis = figure.subplots()
    at = [datetime.fromtimestamp(one["hour_ns"] / 1e9) for one in told]
    below = [0.0] * len(told)
    for kind, colour in zip(KINDS, _COLOURS, strict=True):
        spent = [one["spent"].get(kind, 0.0) for one in told]
        axis.bar(at, spent, bottom=below, width=1 / 26, align="edge", color=colour, label=kind)
        below = [low + more for low, more in zip(below, spent, strict=True)]
    middle = [hour + timedelta(minutes=30) for hour in at]
    axis.plot(middle, [one["income"] for one in told], "o-", color="#2e933c", label="income")
    axis.set_ylabel("ATP an hour")
    axis.legend(loc="upper left")
    axis.xaxis.set_major_formatter(ConciseDateFormatter(axis.xaxis.get_major_locator()))
    return figure
