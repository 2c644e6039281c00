"""When a level is due for a dream, by what it could learn. Pure.

Whether the whole may dream at all (quiet, energy, temperature) the metabolic controller decides, from the backlog that
follows from this. A dream that was interrupted is not judged again: it goes on, however short the time, and whatever it
did is kept, so that many short nights do what one long would.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from nodes.dream_consolidator.collector.examples import Example
from nodes.dream_consolidator.settings import Dreaming
from runtime.units import format_duration


@dataclass(frozen=True)
class Need:
    """What a level could learn that its last dream did not know of."""

    fresh: int
    """Examples that came since that dream read the store."""
    worth: float
    """Of these, what counts: strata with too few are left out, and what only a model judged counts for less."""
    waiting_s: float = 0.0
    """Since the first of them came."""
    rested_s: float | None = None
    """Since the level's last dream ended; None: it never dreamt."""
    must: bool = False
    """What it answers with learned from what was forgotten."""
    on_trial: bool = False
    """Its last dream's weights are still on trial."""


def need(
    examples: Iterable[Example],
    settings: Dreaming,
    *,
    since_ns: int,
    ended_ns: int,
    now_ns: int,
    must: bool = False,
    on_trial: bool = False,
) -> Need:
    """`since_ns`: up to when the last dream had read the store; `ended_ns`: when it ended. Both 0 for none."""
    fresh = [example for example in examples if example.received_ns > since_ns]
    sizes = Counter(example.stratum for example in fresh)
    counted = [example for example in fresh if sizes[example.stratum] >= settings.stratum]
    first_ns = min((example.received_ns for example in fresh), default=now_ns)
    return Need(
        fresh=len(fresh),
        worth=sum(settings.unjudged if example.score is None else 1.0 for example in counted),
        waiting_s=max(0.0, (now_ns - first_ns) / 1e9),
        rested_s=max(0.0, (now_ns - ended_ns) / 1e9) if ended_ns else None,
        must=must,
        on_trial=on_trial,
    )


def not_due(need: Need, settings: Dreaming, *, asked: bool = False) -> str:
    """Why no dream of the level is due; empty where one is. `asked`: somebody wants one now."""
    if asked:
        return "" if need.must or need.fresh else nothing_new(settings)
    if need.rested_s is not None and need.rested_s < settings.every:
        return f"it dreamt {need.rested_s / 3600:.1f} h ago, and does at most every {format_duration(settings.every)}"
    if need.must:
        return ""
    if need.on_trial:
        return "what its last dream left is still on trial"
    enough = wanted(need.waiting_s, settings)
    if need.worth < enough:
        return f"{need.worth:g} of {enough} new examples since its last dream"
    return ""


def nothing_new(settings: Dreaming) -> str:
    return f"0 of {settings.fresh} new examples since its last dream"


def wanted(waiting_s: float, settings: Dreaming) -> int:
    """How much makes a dream due: half after waiting `ripe`, a third after twice as long, never less than one."""
    return max(1, math.ceil(settings.fresh / (1 + waiting_s / settings.ripe)))
