"""The tables of the report. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from experiments.conversations.measures import Cell
from experiments.conversations.world import World
from protocol.messages.trust import Replayed
from runtime.markdown import table


def text(figures: Mapping[str, Any], nights: Sequence[Replayed], cells: Sequence[Cell], told: World, count: int) -> str:
    patience = told.patience
    how = (
        f"{count} conversations, {figures['turns']} turns, typed into two systems of the same launch file on fresh "
        "state directories, by turns the one and the other first. In the second the largest level has to answer the "
        f"same words. People are content with a right answer that begins within {patience.first:g} s and is whole "
        f"within {patience.whole:g} s. `experiments/conversations/world.yaml` says what they do, "
        "`experiments/conversations/measures.py` defines every figure."
    )
    nightly = (
        f"A night follows every {told.nights_after} conversations: the questions of the day go through all levels, "
        "and the price of energy is tuned."
    )
    beside = (
        "Trust is the Beta equivalent with its 90% interval; right is the share of right answers that the verifier "
        "found, replayed ones counted in, with its own 90% interval."
    )
    atp = figures["atp"]
    saved = (
        f"Of the ATP that the largest level takes, {_percent(atp['saved'])} were saved. Where the smallest level "
        f"answered alone it saved {_percent(atp['could_save'])}: on this machine no choice of levels saves more."
    )
    lines = [
        how,
        "",
        "## Day by day",
        "",
        nightly,
        "",
        *table(
            ("day", *figures["parts"], "right", "right, largest", "ATP saved", "what the night after found"),
            [
                _day(number, day, nights[number] if number < len(nights) else None)
                for number, day in enumerate(figures["days"])
            ],
        ),
        "",
        "## How long people waited",
        "",
        *table(("seconds", "p50", "p95", "p99", "turn by turn"), _times(figures["latency"])),
        "",
        *table(
            (
                "answered by",
                "turns",
                "first piece that stood (s)",
                "whole (s)",
                "of the largest's",
                "ATP",
                "the largest's",
            ),
            [_answered(name, one) for name, one in figures["by_whom"].items()],
        ),
        "",
        saved,
        "",
        "## Trust and what was measured",
        "",
        beside,
        "",
        *table(
            ("level", "context", "trust", "interval", "Beta", "right", "interval", "outcomes", ""),
            [_cell(cell) for cell in cells],
        ),
        "",
        "## What overruled trust and price",
        "",
        *table(("override", "answers"), [(name, str(times)) for name, times in figures["overrides"].items()]),
        "",
        "ATP of the whole system by purpose: "
        + ", ".join(f"{purpose} {atp:.1f}" for purpose, atp in figures["spent"].items())
        + ".",
    ]
    return "\n".join(lines)


def _day(number: int, day: Mapping[str, Any], night: Replayed | None) -> tuple[str, ...]:
    found = night.why if night else "-"
    return (
        str(number + 1),
        *(f"{share:.0%}" for share in day["parts"].values()),
        _percent(day["right"]["ours"]),
        _percent(day["right"]["largest"]),
        _percent(day["atp"]["saved"]),
        found,
    )


def _times(latency: Mapping[str, Any]) -> Iterable[tuple[str, ...]]:
    for what, found in latency.items():
        each = [found[share] for share in ("p50", "p95", "p99")]
        yield (
            what.replace("_", " "),
            *(f"{one['ours_s']:.3f} ({one['ratio']:.2f} of the largest's)" for one in each),
            f"{found['paired']:.2f}",
        )


def _answered(name: str, one: Mapping[str, float]) -> tuple[str, ...]:
    return (
        name,
        str(one["turns"]),
        f"{one['first_s']:.3f}",
        f"{one['whole_s']:.3f}",
        f"{one['ratio']:.2f}",
        f"{one['atp']:.4f}",
        f"{one['atp_largest']:.4f}",
    )


def _cell(cell: Cell) -> tuple[str, ...]:
    return (
        cell.level,
        cell.context,
        f"{cell.trust:.2f}",
        f"{cell.low:.2f} - {cell.high:.2f}",
        f"{cell.alpha:.1f}, {cell.beta:.1f}",
        f"{cell.right:.2f}",
        "{:.2f} - {:.2f}".format(*cell.measured),
        str(cell.outcomes),
        "" if cell.held else "apart",
    )


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{share:.1%}"
