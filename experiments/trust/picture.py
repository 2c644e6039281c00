"""The experiment as pictures: right answers against cost, trust over time, regret. PNG; needs matplotlib."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

from experiments.trust.measures import Measured
from experiments.trust.rivals import LEVELS
from experiments.trust.world import Breaks

COLOURS = {"sensory": "#2e933c", "tactical": "#1b6ca8", "specialized": "#6a4c93"}
WINDOW = 250


def against_cost(found: Mapping[str, Sequence[Measured]], frontier: Sequence[tuple[float, float]]) -> bytes:
    """Every course of everybody as a point; the oracle's frontier as a line."""
    figure, axis = _axis()
    axis.plot([100 * saved for saved, _ in frontier], [100 * right for _, right in frontier], "k-", label="oracle")
    for number, (name, each) in enumerate((name, each) for name, each in found.items() if "costs as" not in name):
        axis.scatter(
            [100 * one.saved for one in each],
            [100 * one.right for one in each],
            s=18,
            marker="os^DvP*X"[number % 8],
            color=f"C{number % 10}",
            label=name,
        )
    axis.set_xlabel("% of the ATP of always-largest saved on answers")
    axis.set_ylabel("% right")
    axis.legend(fontsize=7, loc="lower left")
    return _png(figure)


def over_time(shown: Mapping[str, Sequence[Mapping[str, float]]], breaks: Breaks) -> bytes:
    """What is believed of each level in the context `moving`: as it is, and where one of them breaks."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 8), layout="constrained")
    upper, lower = figure.subplots(2, 1, sharex=True)
    for level in LEVELS:
        looks = [look for look in shown.get("ours", ()) if f"{level} mean" in look]
        at = [look["number"] for look in looks]
        upper.plot(at, [look[f"{level} mean"] for look in looks], color=COLOURS[level], label=level)
        upper.fill_between(
            at,
            [look[f"{level} low"] for look in looks],
            [look[f"{level} high"] for look in looks],
            color=COLOURS[level],
            alpha=0.2,
        )
        broken = [look for look in shown.get("broken", ())[::10] if level in look]
        lower.plot([look["number"] for look in broken], [look[level] for look in broken], color=COLOURS[level])
    lower.axvspan(breaks.since, breaks.until, color="#f4d9d9")
    upper.set_title("trust in each level, with its 90% interval")
    lower.set_title(f"the same where {LEVELS[breaks.level]} breaks (shaded)")
    lower.set_xlabel("question")
    upper.legend()
    return _png(figure)


def regret(regrets: Mapping[str, Sequence[float]], first: int) -> bytes:
    """Mean regret over the last questions, for those who know a price."""
    figure, axis = _axis()
    for name, each in regrets.items():
        if not name.startswith("ours"):
            continue
        sums = [0.0]
        for one in each:
            sums.append(sums[-1] + one)
        at = range(WINDOW, len(sums))
        axis.plot(list(at), [(sums[n] - sums[n - WINDOW]) / WINDOW for n in at], label=name)
    axis.axvline(first, color="grey", linestyle=":")
    axis.set_xlabel("question; dotted: from here on it counts")
    axis.set_ylabel(f"mean regret of the last {WINDOW}")
    axis.legend(fontsize=7)
    return _png(figure)


def _axis() -> tuple[Any, Any]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 6), layout="constrained")
    return figure, figure.subplots()


def _png(figure: Any) -> bytes:
    out = io.BytesIO()
    figure.savefig(out, format="png", dpi=110)
    return out.getvalue()
