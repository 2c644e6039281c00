"""The tables of the report. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from experiments.metabolism.forerunner import Defect
from experiments.metabolism.measures import Measured, together
from experiments.metabolism.rivals import AWAKE, THIS
from runtime.bench.statistics import median
from runtime.markdown import table
from runtime.units import format_duration


def text(
    found: Mapping[str, Sequence[Measured]],
    could: Mapping[float, tuple[float, float | None]],
    varied: Mapping[str, Mapping[str, Sequence[Measured]]],
    others: Mapping[str, Sequence[Measured]],
    looked: Sequence[Defect],
    digests: Mapping[str, str],
    machine: str,
    picture: str,
) -> str:
    seeds, hours = len(found[THIS]), found[THIS][0].hours
    awake = next(iter(varied.values()))[AWAKE]
    told = (
        f"{seeds} courses of {hours:g} hours, each lived by every rival: the same questions, costs and luck. "
        f"SHA-256 of the world `{digests['world']}`, of the courses drawn `{digests['courses']}`, of the machine "
        f"(`{machine}`) `{digests['machine']}`. "
        "`experiments/metabolism/measures.py` defines every figure."
    )
    lines = [
        told,
        "",
        picture,
        "",
        "## The rivals",
        "",
        *_compared(found),
        "",
        "## Dreams, by when idle is said to begin",
        "",
        *table(
            ("nobody has stirred for", "hours that dreams could get, all courses", "share they got"),
            [(format_duration(quiet), f"{hours:.1f}", _percent(share)) for quiet, (hours, share) in could.items()],
        ),
        "",
        "## Where the ATP went, a day",
        "",
        *_spending(found),
        "",
        f"## What the figures hang on: the world, one thing at a time ({len(awake)} days each)",
        "",
        *table(
            ("world", "saved", "saved without dreams", *_COLUMNS),
            [_varied(name, pair) for name, pair in varied.items()],
        ),
        "",
        f"## The machine otherwise ({len(awake)} days each)",
        "",
        *table(
            ("machine", "saved", "saved without dreams", *_COLUMNS),
            [_varied(name, {AWAKE: awake, THIS: each}) for name, each in others.items()],
        ),
        "",
        "## The forerunner's defects",
        "",
        *table(
            ("the forerunner", "here", ""),
            [(defect.forerunner, defect.here, "gone" if defect.gone else "still there") for defect in looked],
        ),
    ]
    return "\n".join(lines)


def summary(one: Measured) -> dict[str, Any]:
    """Figures of a rival."""
    return {
        "questions": one.questions,
        "served": round(one.served, 4),
        "fates": one.fates,
        "answered_below": one.below,
        "failed_in_incident": one.failed and round(one.failed, 4),
        "atp_a_day": round(24 * one.atp / one.hours, 1),
        "spent_a_day": {purpose: round(24 * atp / one.hours, 1) for purpose, atp in one.spent.items()},
        "first_part_s": {f"p{share * 100:g}": _rounded(one.first(share)) for share in (0.5, 0.95, 0.99)},
        "roused_beyond_load_s": _rounded(max(one.roused_s, default=None)),
        "dream_share": _rounded(one.dream_share),
        "dream_share_own": _rounded(one.own_dream_share),
        "could_dream_h": round(one.could_s / 3600, 2),
        "dreamt_h": round(one.dreamt_s / 3600, 2),
        "dreams": one.dreams,
        "states_h": {state: round(hours, 2) for state, hours in one.states.items()},
        "transitions_an_hour": round(one.transitions / one.hours, 2),
        "idle_transitions_an_idle_hour": round(one.idle_transitions / one.idle_hours, 2) if one.idle_hours else None,
        "flaps": one.flaps,
        "dreamt_and_back": one.dreamt_and_back,
        "crises": one.crises,
        "loads": one.loads,
        "lowest_atp": round(one.lowest_atp, 1),
    }


def row(one: Measured) -> dict[str, Any]:
    """One course for the raw rows."""
    return {"atp": one.atp, "work": one.work, **summary(one)}


_COLUMNS = (
    "served",
    "failed in the incident",
    "first part p50, p95 (s)",
    "dreams' share",
    "by its own thresholds",
    "dreamt, begun in vain",
    "flaps",
    "transitions an hour: all, idle",
)


def _varied(name: str, pair: Mapping[str, Sequence[Measured]]) -> tuple[str, ...]:
    this = together(pair[THIS])
    each = list(zip(pair[THIS], pair[AWAKE], strict=True))
    return (
        name,
        _percent(median([1 - mine.atp / other.atp for mine, other in each])),
        _percent(median([1 - mine.work / other.work for mine, other in each])),
        f"{this.served:.2%}",
        _percent(this.failed),
        f"{_seconds(this.first(0.5))}, {_seconds(this.first(0.95))}",
        _percent(this.dream_share),
        _percent(this.own_dream_share),
        f"{this.dreamt_s / 60:.0f} min, {this.dreams.get('vain', 0)}",
        str(this.flaps),
        _often(this),
    )


def _compared(found: Mapping[str, Sequence[Measured]]) -> list[str]:
    rows: list[tuple[str, ...]] = []
    for name, each in found.items():
        one = together(each)
        atp = [24 * mine.atp / mine.hours for mine in each]
        rows.append(
            (
                name,
                f"{median(atp):,.0f} ({min(atp):,.0f} to {max(atp):,.0f})",
                f"{one.served:.2%}",
                f"{one.fates.get('asleep', 0)}, {one.fates.get('late', 0)}, {one.below}",
                _percent(one.failed),
                f"{one.crises * 24 / one.hours:.1f}",
                ", ".join(_seconds(one.first(share)) for share in (0.5, 0.95, 0.99)),
                f"{one.dreamt_s / 60 / (one.hours / 24):.1f} of {one.could_s / 60 / (one.hours / 24):.0f} min",
                _often(one),
                str(one.flaps),
                ", ".join(f"{state} {hours * 24 / one.hours:.1f}" for state, hours in one.states.items()),
            )
        )
    heads = (
        "rival",
        "ATP a day, median (least to most)",
        "served",
        "lost asleep, lost late, answered by a smaller level than trusted",
        "failed in the incident",
        "crises a day",
        "first part p50, p95, p99 (s)",
        "dreamt a day, of what dreams could get",
        "transitions an hour: all, idle",
        "flaps",
        "hours a day in each state",
    )
    return table(heads, rows)


def _spending(found: Mapping[str, Sequence[Measured]]) -> list[str]:
    ones = {name: together(each) for name, each in found.items()}
    purposes = sorted({purpose for one in ones.values() for purpose in one.spent})
    rows = [
        (
            name,
            *(f"{24 * one.spent.get(purpose, 0.0) / one.hours:,.1f}" for purpose in purposes),
            f"{one.lowest_atp:.0f}",
        )
        for name, one in ones.items()
    ]
    return table(("rival", *purposes, "lowest ATP at any time"), rows)


def _often(one: Measured) -> str:
    idle = f"{one.idle_transitions / one.idle_hours:.2f}" if one.idle_hours else "-"
    return f"{one.transitions / one.hours:.2f}, {idle}"


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{share:.1%}"


def _seconds(seconds: float | None) -> str:
    return "-" if seconds is None else f"{seconds:.2f}"


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
