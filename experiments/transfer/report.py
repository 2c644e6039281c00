"""The tables and the plot. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from experiments.transfer.measure import Measured
from experiments.transfer.shapes import Timed
from runtime.bench.plot import Axis, lines
from runtime.markdown import table

PAYS_RIGHT, PAYS_SURPRISE, PAYS_SOONER = 0.9, 0.15, 1.25
"""From where on moving pays."""
_HOW = (
    "Answers kept: of questions about one of eight things told at five depths, those that the receiver gets right by "
    "its own reading and still answers in the same words. Surprise: 0 as with its own state, 1 as with none."
)
UNMOVED = ("own reading", "own, with noise", "no context", "summary")


def figures(one: Measured) -> dict[str, Any]:
    return {
        "right": round(one.right, 4),
        "asked": one.asked,
        "surprise": round(one.surprise, 4),
        "surprise_p90": round(one.surprise_p90, 4),
        "kl": round(one.kl, 5),
        "js": round(one.js, 5),
        "disagreement": round(one.disagreement, 4),
        "seconds": round(one.seconds, 4),
        "sooner": round(one.sooner, 2),
    }


def timed(one: Timed) -> dict[str, Any]:
    return {
        "parameters": one.parameters,
        "read_s": round(one.read_s, 3),
        "moved_s": round(one.moved_s, 3),
        "sooner": round(one.sooner, 2),
    }


def pays(one: Measured) -> bool:
    return one.right >= PAYS_RIGHT and one.surprise <= PAYS_SURPRISE and one.sooner >= PAYS_SOONER


def text(found: Sequence[Measured], times: Sequence[Timed]) -> str:
    parts = [_HOW]
    for pair in dict.fromkeys(one.pair for one in found):
        parts += ["", f"## {pair}", ""]
        rows = [_row(one) for one in found if one.pair == pair]
        parts += table(
            ("tokens", "begins with", "answers kept", "surprise (p90)", "KL", "JS, bits", "other word", "sooner"), rows
        )
    parts += ["", "## Where it pays", "", *table(("pair", *_lengths(found)), _verdicts(found))]
    if times:
        parts += [
            "",
            "## True shapes, random weights and maps, one thread",
            "",
            *table(
                ("pair", "tokens", "rank", "parameters", "reading (s)", "moving (s)", "sooner"),
                [
                    (
                        one.pair,
                        f"{one.length:,}",
                        str(one.rank or "full"),
                        f"{one.parameters / 1e6:.0f} M",
                        f"{one.read_s:.2f}",
                        f"{one.moved_s:.2f}",
                        f"{one.sooner:.1f} ×",
                    )
                    for one in times
                ],
            ),
        ]
        parts += ["", "![times sooner by length](break-even.svg)"]
    return "\n".join([*parts, "", "![answers kept by length](transfer.svg)"])


def picture(found: Sequence[Measured]) -> bytes:
    """SVG: answers kept by length, of the first pair."""
    first = found[0].pair
    series: dict[str, list[tuple[float, float]]] = {}
    for one in found:
        if one.pair == first:
            series.setdefault(one.way, []).append((one.length, one.right))
    return lines(f"{first}: answers kept", series, Axis("tokens"), Axis("share"))


def break_even(times: Sequence[Timed]) -> bytes:
    """SVG: times sooner by length, of every pair and rank; above 1 moving is sooner than reading."""
    series: dict[str, list[tuple[float, float]]] = {}
    for one in sorted(times, key=lambda one: one.length):
        series.setdefault(f"{one.pair}, {one.rank or 'full'}", []).append((one.length, one.sooner))
    ends = [one.length for one in times]
    series["as soon"] = [(min(ends), 1.0), (max(ends), 1.0)]
    return lines("moving against reading, true shapes", series, Axis("tokens"), Axis("times sooner", logarithmic=True))


def _row(one: Measured) -> tuple[str, ...]:
    return (
        f"{one.length:,}",
        one.way,
        f"{one.right:.0%} of {one.asked}",
        f"{one.surprise:.3f} ({one.surprise_p90:.2f})",
        f"{one.kl:.4f}",
        f"{one.js:.4f}",
        f"{one.disagreement:.1%}",
        f"{one.sooner:.1f} ×",
    )


def _lengths(found: Sequence[Measured]) -> list[str]:
    return [f"{length:,} tokens" for length in sorted({one.length for one in found})]


def _verdicts(found: Sequence[Measured]) -> list[tuple[str, ...]]:
    rows = []
    for pair in dict.fromkeys(one.pair for one in found):
        cells = [pair]
        for length in sorted({one.length for one in found}):
            here = [one for one in found if (one.pair, one.length) == (pair, length) and _is_moved(one)]
            good = [one.way for one in here if pays(one)]
            best = max(here, key=lambda one: one.right, default=None)
            told = f"no: {best.way} keeps {best.right:.0%}" if best else "not measured"
            cells.append(f"yes: {good[0]}" if good else told)
        rows.append(tuple(cells))
    return rows


def _is_moved(one: Measured) -> bool:
    return one.way not in UNMOVED and not one.way.startswith("last ")
