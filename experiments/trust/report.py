"""The tables of the report. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from experiments.trust.measures import PRICES, Breakage, Measured
from experiments.trust.rivals import LEVELS
from experiments.trust.world import World
from runtime.bench.statistics import median
from runtime.markdown import table


def text(
    found: Mapping[str, Sequence[Measured]],
    frontiers: Sequence[Sequence[tuple[float, float]]],
    broken: Sequence[Breakage],
    tuned: Sequence[Sequence[float | None]],
    calibration: Mapping[str, Sequence[float]],
    world: World,
    digest: str,
) -> str:
    counted = (world.days - 1) * world.queries
    told = (
        f"{len(frontiers)} courses of {world.days} days, {world.queries} held-out questions a day; the first day is "
        f"not counted, {counted} questions are. World sha256 `{digest}`. "
        "`experiments/trust/measures.py` defines every figure."
    )
    broke = (
        f"From question {world.breaks.since} until {world.breaks.until} {world.breaks.wrong:.0%} of its right answers "
        "come out wrong; its signs of doubt stay as they were."
    )
    lines = [
        told,
        "",
        "## Who chose",
        "",
        "Medians of the courses; in brackets the worst one.",
        "",
        *table(_HEADS, [_row(name, each) for name, each in found.items()]),
        "",
        "## The oracle frontier",
        "",
        "Who knew every outcome beforehand and took one level for each question, price by price; mean of the courses.",
        "",
        *table(
            ("price", "saved", "right"),
            [
                (f"{price:g}", f"{saved:.1%}", f"{right:.2%}")
                for price, (saved, right) in zip(PRICES, mean_curve(frontiers), strict=True)
            ],
        ),
        "",
        "## Prices that the nights found",
        "",
        *table(
            ("course", "night by night"),
            [
                (str(at), ", ".join("none" if one is None else f"{one:g}" for one in each))
                for at, each in enumerate(tuned)
            ],
        ),
        "",
        "Expected calibration error on answers that were not fitted on: "
        + "; ".join(f"{name} {median(list(each)):.3f}" for name, each in calibration.items())
        + ".",
        "",
        f"## {LEVELS[world.breaks.level]} breaks",
        "",
        broke,
        "",
        *table(_BREAKS, [_broken(at, one) for at, one in enumerate(broken)]),
    ]
    return "\n".join(lines)


def summary(each: Sequence[Measured]) -> dict[str, Any]:
    """Medians of the courses."""
    fields = ("right", "atp", "saved", "saved_all", "loss", "bound", "small_regret", "regret", "strict", "handed_on")
    middle = {field: round(median([getattr(one, field) for one in each]), 4) for field in fields}
    return {
        **middle,
        "worst_saved": round(min(one.saved for one in each), 4),
        "worst_bound": round(max(one.bound for one in each), 4),
        "shares": {name: round(median([one.shares[name] for one in each]), 4) for name in LEVELS},
    }


def mean_curve(frontiers: Sequence[Sequence[tuple[float, float]]]) -> list[tuple[float, float]]:
    """(saved, right) at each price, mean of the courses."""
    each = len(frontiers)
    return [
        (sum(saved for saved, _ in points) / each, sum(right for _, right in points) / each)
        for points in zip(*frontiers, strict=True)
    ]


_HEADS = (
    "who",
    "right",
    "ATP an answer",
    "saved (least)",
    "saved, first day and replay counted in",
    "right answers lost",
    "95% bound (worst)",
    "regret ≤ 0.01",
    "strictly best",
    "handed on",
    f"began with {', '.join(LEVELS)}",
)
_BREAKS = (
    "course",
    "its outcomes until noticed",
    "its part before",
    "from the alarm on",
    "at the end",
    "relied on again after",
    "right answers lost meanwhile",
)


def _row(name: str, each: Sequence[Measured]) -> tuple[str, ...]:
    one = summary(each)
    return (
        name,
        f"{one['right']:.2%}",
        f"{one['atp']:.3f}",
        f"{one['saved']:.1%} ({one['worst_saved']:.1%})",
        f"{one['saved_all']:.1%}",
        f"{one['loss']:.2%}",
        f"{one['bound']:.2%} ({one['worst_bound']:.2%})",
        f"{one['small_regret']:.1%}",
        f"{one['strict']:.1%}",
        f"{one['handed_on']:.1%}",
        ", ".join(f"{share:.0%}" for share in one["shares"].values()),
    )


def _broken(at: int, one: Breakage) -> tuple[str, ...]:
    return (
        str(at),
        "not noticed" if one.outcomes is None else str(one.outcomes),
        f"{one.before:.1%}",
        "-" if one.during is None else f"{one.during:.1%}",
        f"{one.after:.1%}",
        "-" if one.recovered is None else f"{one.recovered} questions",
        f"{one.loss:.2%}",
    )
