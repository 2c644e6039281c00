"""Text as a voice should read it: no marks of layout, signs and units in words. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable

_UNITS = {
    "km/h": "kilometres per hour",
    "m/s": "metres per second",
    "km": "kilometres",
    "cm": "centimetres",
    "mm": "millimetres",
    "kg": "kilograms",
    "mg": "milligrams",
    "kWh": "kilowatt hours",
    "kW": "kilowatts",
    "MHz": "megahertz",
    "GHz": "gigahertz",
    "Hz": "hertz",
    "GB": "gigabytes",
    "MB": "megabytes",
    "kB": "kilobytes",
    "ms": "milliseconds",
    "°C": "degrees Celsius",
    "°F": "degrees Fahrenheit",
    "°": "degrees",
    "%": "percent",
}
"""Read after a number only. One of them is still read in the plural: rarely wrong, never misunderstood."""
_SIGNS = {
    "+": "plus",
    "-": "minus",
    "−": "minus",
    "*": "times",
    "×": "times",
    "/": "divided by",
    "÷": "divided by",
    "=": "equals",
}
_ABBREVIATIONS = {"e.g.": "for example", "i.e.": "that is", "etc.": "and so on", "vs.": "against", "approx.": "about"}

_MARKUP = re.compile(r"`+|\*{1,3}(?=\S)|(?<=\S)\*{1,3}|^#+\s*|^\s*[-*•]\s+|<\|[^|]*\|>", re.MULTILINE)
_LINK = re.compile(r"\[([^\]]*)\]\([^)]*\)")
_UNIT = re.compile(rf"(?<=\d)\s?({'|'.join(map(re.escape, sorted(_UNITS, key=len, reverse=True)))})(?!\w)")
_SIGN = re.compile(r"(?<=[\d)])\s*([-+−*×/÷=])\s*(?=[\d(]|[-−]\d)")
_NEGATIVE = re.compile(r"(?<![\w)])[-−](?=\d)")
_CLOCK = re.compile(r"\b([01]?\d|2[0-3]):([0-5]\d)\b(?!:)")
_ABBREVIATED = re.compile(rf"\b({'|'.join(map(re.escape, _ABBREVIATIONS))})", re.IGNORECASE)


def speakable(text: str) -> str:
    """`It is 14:05, 20 °C **outside**` → `It is 14 oh 5, 20 degrees Celsius outside`."""
    text = _LINK.sub(r"\1", text)
    text = _CLOCK.sub(_time_of_day, text)
    text = _UNIT.sub(lambda unit: f" {_UNITS[unit[1]]}", text)
    text = _SIGN.sub(_sign, text)
    text = _NEGATIVE.sub("minus ", text)
    text = _MARKUP.sub("", text)
    text = _ABBREVIATED.sub(lambda short: _ABBREVIATIONS[short[1].lower()], text)
    return " ".join(text.split())


def _time_of_day(time: re.Match[str]) -> str:
    hour, minute = int(time[1]), time[2]
    if minute == "00":
        return f"{hour} o'clock"
    return f"{hour} oh {minute[1]}" if minute[0] == "0" else f"{hour} {minute}"


_sign: Callable[[re.Match[str]], str] = lambda sign: f" {_SIGNS[sign[1]]} "  # noqa: E731
