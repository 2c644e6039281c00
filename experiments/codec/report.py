"""The tables and the plot. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from experiments.codec.measure import Measured, Speed
from runtime.bench.plot import Axis, lines
from runtime.markdown import table

_HEADS = ("kept as", "smaller", "less likely", "KL", "p99", "same word", "until another", "answers kept", "passes")
_HOW = (
    "Times smaller: against the state's own numbers, files whole (headers, ids, signatures, seals). Pruned state is "
    "counted as the numbers that stay, not coded. KL in nats a token. Answers: of questions about one of eight things "
    "told at five depths, those that the model gets right on its own state and still answers in the same words."
)


def figures(one: Measured) -> dict[str, Any]:
    return {
        "smaller": round(one.smaller, 2),
        "excess_nll": round(one.excess_nll, 5),
        "kl": round(one.kl, 5),
        "kl_p99": round(one.kl_p99, 4),
        "same": round(one.same, 4),
        "greedy": round(one.greedy, 1),
        "kept": round(one.kept, 4),
        "asked": one.asked,
        "kept_by_depth": {depth: round(share, 3) for depth, share in one.kept_by_depth.items()},
    }


def text(
    found: Sequence[Measured],
    speeds: Sequence[Speed],
    control: Sequence[Measured],
    sizes: Sequence[tuple[str, str, float]],
    lengths: Sequence[int],
) -> str:
    parts = [_HOW]
    for length in lengths:
        rows = [_row(one) for one in found if one.length == length]
        parts += [f"## {length:,} tokens", "", *table(_HEADS, rows), "", f"![{length}](frontier-{length}.svg)"]
    depths = sorted({depth for one in found for depth in one.kept_by_depth}, key=float)
    longest = max(lengths)
    parts += [
        f"## Answers kept by depth, {longest:,} tokens",
        "",
        *table(
            ("kept as", *depths),
            [
                (one.name, *(f"{one.kept_by_depth.get(depth, 1.0):.0%}" for depth in depths))
                for one in found
                if one.length == longest
            ],
        ),
        "",
        "## A model with large key biases",
        "",
        *table(_HEADS, [_row(one) for one in control]),
        "",
        "## Speeds, MB/s of the state's own numbers",
        "",
        *table(
            ("", "smaller", "write", "read"),
            [(one.name, f"{one.smaller:g}", f"{one.write_mb_s:g}", f"{one.read_mb_s:g}") for one in speeds],
        ),
        "",
        "## True shapes: what so many bits come to, on noise",
        "",
        *table(("shape", "codec", "smaller"), [(shape, name, f"{smaller:.2f}") for shape, name, smaller in sizes]),
    ]
    return "\n".join(parts)


def frontier(found: Sequence[Measured], length: int) -> bytes:
    """SVG: every family a line, every point on it, and the best of all as one more."""
    here = [one for one in found if one.length == length]
    families: dict[str, list[tuple[float, float]]] = {}
    for one in sorted(here, key=lambda one: one.smaller):
        families.setdefault(one.family, []).append((one.smaller, one.kept))
    best, reached = [], -1.0
    for one in sorted(here, key=lambda one: (-one.smaller, -one.kept)):
        if one.kept > reached:
            reached = one.kept
            best.append((one.smaller, one.kept))
    return lines(
        f"{length:,} tokens: right answers kept by how small state gets",
        {**families, "frontier": best[::-1]},
        Axis("times smaller", logarithmic=True),
        Axis("share of right answers kept"),
    )


def _row(one: Measured) -> tuple[str, ...]:
    return (
        one.name,
        f"{one.smaller:.1f}",
        f"{one.excess_nll:+.2%}",
        f"{one.kl:.4f}",
        f"{one.kl_p99:.3f}",
        f"{one.same:.2%}",
        f"{one.greedy:.0f}",
        f"{one.kept:.0%} of {one.asked}",
        "yes" if one.passes else "no",
    )
