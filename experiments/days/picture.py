"""Accuracy and ATP by day, for every arm; who answered. SVG; needs matplotlib."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence

from experiments.days.course import Lasted
from experiments.days.measures import Counted
from experiments.trust.rivals import LARGEST, LEVELS

COLOURS = {"neither": "#8d99ae", "fast": "#1b6ca8", "slow": "#edae49", "both": "#2e933c"}

Found = Mapping[str, Sequence[Lasted]]


def accuracy(found: Found) -> bytes:
    """Share right by day; dotted: the largest level alone; a mark where new weights came into force that night."""
    return _by_day(found, lambda day: 100 * day.right, "% right", lambda day: 100 * day.alone[LEVELS[LARGEST]])


def atp(found: Found) -> bytes:
    """ATP of an answer by day; dotted: the largest level alone."""
    return _by_day(found, lambda day: day.atp, "ATP an answer", lambda day: day.always_atp)


def levels(found: Found) -> bytes:
    """Share of the questions that the least capable level answered, and what it would have had right alone (dashed)."""
    small = LEVELS[0]
    return _by_day(
        found,
        lambda day: 100 * day.answered_by[small],
        f"% answered by {small}; dashed: % it would have right alone",
        dashed=lambda day: 100 * day.alone[small],
    )


def _by_day(
    found: Found,
    what: Callable[[Counted], float],
    label: str,
    dotted: Callable[[Counted], float] | None = None,
    dashed: Callable[[Counted], float] | None = None,
) -> bytes:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 4.5), layout="constrained")
    axis = figure.subplots()
    for name, lasted in found.items():
        days = range(1, len(lasted) + 1)
        values = [what(one.counted) for one in lasted]
        axis.plot(days, values, color=COLOURS[name], label=name)
        promoted = [place for place, one in enumerate(lasted) if one.night is not None and one.night.completed.promoted]
        axis.plot([place + 1 for place in promoted], [values[place] for place in promoted], "o", color=COLOURS[name])
        if dashed is not None:
            axis.plot(days, [dashed(one.counted) for one in lasted], "--", color=COLOURS[name], linewidth=0.8)
    longest = max(found.values(), key=len)
    if dotted is not None:
        axis.plot(range(1, len(longest) + 1), [dotted(one.counted) for one in longest], "k:", label="largest alone")
    axis.set_xlabel("day; a dot: the night after it brought new weights")
    axis.set_ylabel(label)
    axis.legend()
    out = io.BytesIO()
    figure.savefig(out, format="svg")
    return out.getvalue()
