"""Plots for reports, as SVG written by hand: lines over two axes. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

Point = tuple[float, float]

_WIDTH, _HEIGHT = 760, 420
_LEFT, _RIGHT, _TOP, _BOTTOM = 70, 200, 40, 50
_COLOURS = ("#1b6ca8", "#d1495b", "#2e933c", "#edae49", "#6a4c93", "#30343f", "#00798c", "#8d6b94")
_TICKS = 6


@dataclass(frozen=True)
class Axis:
    label: str
    logarithmic: bool = False

    def place(self, value: float) -> float:
        return math.log10(value) if self.logarithmic else value

    def ticks(self, low: float, high: float) -> list[float]:
        """Round values between two placed ends, as values."""
        if self.logarithmic:
            powers = range(math.floor(low), math.ceil(high) + 1)
            marks = [factor * 10.0**power for power in powers for factor in (1, 2, 5)]
            return [mark for mark in marks if low <= math.log10(mark) <= high]
        step = _round_step((high - low) / _TICKS)
        return [index * step for index in range(math.ceil(low / step), math.floor(high / step) + 1)]


def lines(title: str, series: Mapping[str, Sequence[Point]], x: Axis, y: Axis) -> bytes:
    """A chart with one line per named series. Raises `ValueError` where there is no point at all."""
    horizontal = _Scale(x, [point[0] for points in series.values() for point in points], _LEFT, _WIDTH - _RIGHT)
    vertical = _Scale(y, [point[1] for points in series.values() for point in points], _HEIGHT - _BOTTOM, _TOP)
    opening = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{_HEIGHT}" font-family="sans-serif" '
        'font-size="12"><rect width="100%" height="100%" fill="white"/>'
    )
    heading = f'<text x="{_LEFT}" y="22" font-size="15">{escape(title)}</text>'
    parts = [opening, heading, *_grid(horizontal, vertical)]
    for index, (name, points) in enumerate(series.items()):
        colour = _COLOURS[index % len(_COLOURS)]
        path = " ".join(f"{horizontal(px):.1f},{vertical(py):.1f}" for px, py in points)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        top = _TOP + 8 + 18 * index
        parts.append(f'<rect x="{_WIDTH - _RIGHT + 14}" y="{top - 9}" width="12" height="12" fill="{colour}"/>')
        parts.append(f'<text x="{_WIDTH - _RIGHT + 32}" y="{top + 2}">{escape(name)}</text>')
    return "\n".join([*parts, "</svg>", ""]).encode()


_LEAST = 1e-300
"""Values that lie closer together are drawn as one: nothing can be divided by less."""


class _Scale:
    """From values of one axis to pixels."""

    def __init__(self, axis: Axis, values: Sequence[float], first: float, last: float) -> None:
        if not values:
            raise ValueError(f"nothing to plot over {axis.label!r}")
        self.axis = axis
        self.low, self.high = axis.place(min(values)), axis.place(max(values))
        if self.high - self.low < _LEAST:
            self.high = self.low + 1
        self.first, self.last = first, last

    def __call__(self, value: float) -> float:
        share = (self.axis.place(value) - self.low) / (self.high - self.low)
        return self.first + share * (self.last - self.first)

    def ticks(self) -> list[float]:
        return self.axis.ticks(self.low, self.high)


def _grid(horizontal: _Scale, vertical: _Scale) -> list[str]:
    left, right, top, bottom = horizontal.first, horizontal.last, vertical.last, vertical.first
    parts = [f'<path d="M{left},{top} V{bottom} H{right}" fill="none" stroke="#444"/>']
    for value in horizontal.ticks():
        at = horizontal(value)
        parts.append(f'<line x1="{at:.1f}" y1="{top}" x2="{at:.1f}" y2="{bottom}" stroke="#e4e4e4"/>')
        parts.append(f'<text x="{at:.1f}" y="{bottom + 16}" text-anchor="middle">{value:,.6g}</text>')
    for value in vertical.ticks():
        at = vertical(value)
        parts.append(f'<line x1="{left}" y1="{at:.1f}" x2="{right}" y2="{at:.1f}" stroke="#e4e4e4"/>')
        parts.append(f'<text x="{left - 6}" y="{at + 4:.1f}" text-anchor="end">{value:,.6g}</text>')
    middle = (top + bottom) / 2
    parts.append(
        f'<text x="{(left + right) / 2}" y="{bottom + 38}" text-anchor="middle">{escape(horizontal.axis.label)}</text>'
    )
    parts.append(
        f'<text x="16" y="{middle}" text-anchor="middle" transform="rotate(-90 16 {middle})">'
        f"{escape(vertical.axis.label)}</text>"
    )
    return parts


def _round_step(rough: float) -> float:
    """The next of 1, 2, 5 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(rough))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough)
