"""Transitions over time, as rows and as a picture. The picture needs matplotlib; the rest nothing."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from protocol.messages.metabolism import Metabolic, MetabolicState

ORDER = (Metabolic.DREAM, Metabolic.REST, Metabolic.WAKE, Metabolic.FOCUS, Metabolic.CRISIS)
"""From the deepest sleep upwards."""


def shares(said: Sequence[MetabolicState], until_ns: int) -> dict[Metabolic, float]:
    """Share of the time from the first of these transitions on that was spent in each state."""
    spent = dict.fromkeys(ORDER, 0.0)
    for one, ends in zip(said, _ends(said, until_ns), strict=True):
        spent[one.state] += max(0, ends - one.since_ns)
    total = sum(spent.values()) or 1.0
    return {state: seconds / total for state, seconds in spent.items()}


def row(one: MetabolicState, ends_ns: int) -> tuple[str, ...]:
    """Its number, when it was made, the state, how long that lasted, ATP, and why."""
    when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(one.since_ns / 1e9))
    lasted = max(0.0, (ends_ns - one.since_ns) / 1e9)
    return (str(one.number), when, str(one.state), f"{lasted:.0f} s", f"{one.budget:.1f}", one.reason)


def rows(said: Sequence[MetabolicState], until_ns: int) -> list[tuple[str, ...]]:
    return [row(one, ends) for one, ends in zip(said, _ends(said, until_ns), strict=True)]


def picture(said: Sequence[MetabolicState], until_ns: int) -> Any:
    """A matplotlib figure: the state over time, and the energy there was at each transition."""
    from datetime import datetime

    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 5), layout="constrained")
    states, atp = figure.subplots(2, 1, sharex=True)
    times = [datetime.fromtimestamp(one.since_ns / 1e9) for one in said]
    places = [ORDER.index(one.state) for one in said]
    end = datetime.fromtimestamp(until_ns / 1e9)
    states.step([*times, end], [*places, places[-1]], where="post")
    states.set_yticks(range(len(ORDER)), [str(state) for state in ORDER])
    states.set_title("how awake the whole was")
    atp.plot(times, [one.budget for one in said], marker=".")
    atp.set_ylabel("ATP")
    atp.set_ylim(bottom=0)
    figure.autofmt_xdate()
    return figure


def _ends(said: Sequence[MetabolicState], until_ns: int) -> list[int]:
    return [*(one.since_ns for one in said[1:]), until_ns]
