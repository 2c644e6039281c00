"""How well each part tells its own cause from ordinary turns, and everything else from them. Values in, figures out."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from experiments.reference.intervals import Z95, discrimination
from experiments.snarc.forerunner import sigmoids
from experiments.snarc.stream import Measured
from nodes.context_classifier.salience import DIMENSIONS
from runtime.bench.statistics import percentile

CAUSES = (*DIMENSIONS, "unrewarded")
PARTS = (*DIMENSIONS, "salience")

Reading = Callable[[Measured], float]


@dataclass(frozen=True)
class Consumers:
    """At which salience others act."""

    rouse: float
    """Of an input: REST ends."""
    focus: float
    """Of an input: FOCUS may begin."""
    held: float
    """Of an input: FOCUS cannot end yet."""
    kept: float
    """Of an exchange: it is kept to learn from."""


def figures(measured: Sequence[Measured], consumers: Consumers) -> dict[str, Any]:
    counted = [found for found in measured if found.turn.counted]
    ordinary = [found for found in counted if not found.turn.cause]
    of_cause = {cause: [each for each in counted if each.turn.cause == cause] for cause in CAUSES}
    unplanted = [found for found in measured if not found.turn.cause]
    of_way = _by(counted, lambda each: f"{each.turn.cause}: {each.turn.how}")
    return {
        "turns": len(measured),
        "counted": {"ordinary": len(ordinary), **{cause: len(found) for cause, found in of_cause.items()}},
        "own": {name: area(of_cause[name], ordinary, _ours(name)) for name in DIMENSIONS},
        "own_against_all": {
            name: area(of_cause[name], [each for each in counted if each.turn.cause != name], _ours(name))["area"]
            for name in DIMENSIONS
        },
        "every": _table(of_cause, ordinary, _ours),
        "ways": _table({way: found for way, found in of_way.items() if not way.startswith(":")}, ordinary, _ours),
        "conversations": area([each for each in counted if each.turn.cause], ordinary, _of_conversation)["area"],
        "sigmoids": _table(of_cause, ordinary, _theirs),
        "ranges": {part: _range(measured, _ours(part)) for part in PARTS},
        "ranges_of_sigmoids": {part: _range(measured, _theirs(part)) for part in PARTS},
        "calm": _calm(unplanted, lambda found: found.classified.snarc.salience, _ours("salience"), consumers),
        "calm_of_sigmoids": _calm(unplanted, _theirs("salience"), _theirs("salience"), consumers),
        "revised": sum(bool(each.revisions) for each in measured),
    }


def area(positive: Sequence[Measured], negative: Sequence[Measured], reading: Reading) -> dict[str, float | None]:
    """Area under the curve with its 95% interval (Hanley and McNeil 1982); None where one side is empty."""
    values = [reading(each) for each in (*positive, *negative)]
    found = discrimination(values, [True] * len(positive) + [False] * len(negative))
    if found is None:
        return {"area": None, "low": None, "high": None}
    q1, q2 = found / (2 - found), 2 * found**2 / (1 + found)
    many, few = len(positive), len(negative)
    variance = (found * (1 - found) + (many - 1) * (q1 - found**2) + (few - 1) * (q2 - found**2)) / (many * few)
    half = Z95 * math.sqrt(max(0.0, variance))
    return {"area": round(found, 4), "low": round(max(0.0, found - half), 4), "high": round(min(1.0, found + half), 4)}


def _table(
    groups: dict[str, list[Measured]], ordinary: Sequence[Measured], readings: Callable[[str], Reading]
) -> dict[str, dict[str, float | None]]:
    return {
        part: {name: area(found, ordinary, readings(part))["area"] for name, found in groups.items()} for part in PARTS
    }


def _range(measured: Sequence[Measured], reading: Reading) -> dict[str, float]:
    """Percentiles of a part over all turns, planted and not."""
    values = [reading(each) for each in measured]
    return {f"p{share}": round(percentile(values, share / 100), 3) for share in (0, 5, 50, 95, 100)}


def _calm(
    ordinary: Sequence[Measured], of_input: Reading, of_exchange: Reading, consumers: Consumers
) -> dict[str, float]:
    """What others would make of turns that nobody planted anything in: shares of them."""
    inputs, exchanges = [of_input(each) for each in ordinary], [of_exchange(each) for each in ordinary]
    return {
        "turns": len(ordinary),
        "rouse": _share(inputs, consumers.rouse),
        "focus": _share(inputs, consumers.focus),
        "held": _share(inputs, consumers.held),
        "kept": _share(exchanges, consumers.kept),
    }


def _share(values: Sequence[float], threshold: float) -> float:
    return round(sum(value >= threshold for value in values) / max(1, len(values)), 4)


def _ours(part: str) -> Reading:
    return lambda found: float(getattr(found.snarc, part))


def _theirs(part: str) -> Reading:
    return lambda found: sigmoids(found)[part]


def _of_conversation(found: Measured) -> float:
    return found.scored.conversation.salience if found.scored.conversation else 0.0


def _by(found: Sequence[Measured], key: Callable[[Measured], str]) -> dict[str, list[Measured]]:
    groups: dict[str, list[Measured]] = {}
    for each in sorted(found, key=key):
        groups.setdefault(key(each), []).append(each)
    return groups
