"""The conversations as pictures: waiting, energy, trust beside measured accuracy. PNG; needs matplotlib."""

from __future__ import annotations

import io
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from experiments.conversations.measures import Cell, who
from experiments.conversations.talking import Both

COLOURS = ("#2e933c", "#1b6ca8", "#6a4c93", "#edae49", "#d1495b", "#30343f")


def latency(turns: Sequence[Both]) -> bytes:
    """Share of turns whose answer was whole after so many seconds, by who answered."""
    figure, axis = _axis()
    groups: dict[str, list[float]] = defaultdict(list)
    for both in turns:
        groups[who(both.ours)].append(both.ours.whole_s)
    every = {
        "this system": [both.ours.whole_s for both in turns],
        "always the largest": [both.largest.whole_s for both in turns],
    }
    for (name, seconds), style in zip(every.items(), ("-", "--"), strict=True):
        axis.plot(sorted(seconds), _shares(seconds), f"k{style}", label=name, linewidth=2)
    for number, (name, seconds) in enumerate(sorted(groups.items())):
        axis.plot(
            sorted(seconds), _shares(seconds), color=COLOURS[number % len(COLOURS)], label=f"{name}: {len(seconds)}"
        )
    axis.set_xscale("log")
    axis.set_xlabel("seconds until the whole answer")
    axis.set_ylabel("share of turns")
    axis.legend(fontsize=8)
    return _png(figure)


def energy(conversations: Sequence[Sequence[Both]]) -> bytes:
    """ATP of all answers so far."""
    figure, axis = _axis()
    for name, style in (("ours", "-"), ("largest", "--")):
        sums = [0.0]
        for each in conversations:
            sums.append(sums[-1] + sum(getattr(both, name).atp for both in each))
        axis.plot(range(len(sums)), sums, f"k{style}", label="this system" if name == "ours" else "always the largest")
    axis.set_xlabel("conversation")
    axis.set_ylabel("ATP of answers")
    axis.legend()
    return _png(figure)


def trust(cells: Sequence[Cell]) -> bytes:
    """Every version in every context: belief with its interval against the accuracy that verifiers measured."""
    figure, axis = _axis()
    axis.plot([0, 1], [0, 1], color="grey", linewidth=1)
    levels = sorted({cell.level for cell in cells})
    for cell in cells:
        colour = COLOURS[levels.index(cell.level) % len(COLOURS)]
        axis.plot([cell.right, cell.right], [cell.low, cell.high], color=colour, linewidth=1)
        axis.plot(cell.right, cell.trust, "o", color=colour, markersize=3 + cell.outcomes**0.5)
        axis.annotate(
            f"{cell.level} {cell.context}",
            (cell.right, cell.trust),
            fontsize=7,
            xytext=(6, 2),
            textcoords="offset points",
        )
    axis.set_xlabel("measured share of right answers")
    axis.set_ylabel("trust, with its interval")
    return _png(figure)


def _shares(seconds: Sequence[float]) -> list[float]:
    return [(number + 1) / len(seconds) for number in range(len(seconds))]


def _axis() -> tuple[Any, Any]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 6), layout="constrained")
    return figure, figure.subplots()


def _png(figure: Any) -> bytes:
    out = io.BytesIO()
    figure.savefig(out, format="png", dpi=110)
    return out.getvalue()
