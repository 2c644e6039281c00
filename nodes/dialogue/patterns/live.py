"""Answers with values in them: what stood in a slot, and what is known only at the moment.

    {minutes}                    the words that stood in the slot
    {time}  {date}  {weekday}    now
    {time:+minutes minutes}      so much later; also hours, days, weeks, `-`, and numbers in place of the slot
    {until:clock}                how long until the time that stood in the slot
    {state}  {atp}               of the whole: as the controller says
    {battery}  {temperature}     of the machine, where it has such sensors

A value that is not there is never made up, nor is the question handed on to a model, which would make it up: the
pattern says that it does not know (`missing`, or a sentence naming what is not known), and that is counted.
"""

from __future__ import annotations

import re
import string
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from nodes.dialogue.patterns.phrases import Captured
from nodes.dialogue.patterns.slots import Clock, Slot
from runtime.conversion import suggest

Sensor = Callable[[], float | None]

_SHIFT = re.compile(r"([+-])([a-z]+|\d+) (minutes|hours|days|weeks)")
_TIMED = ("time", "date", "weekday")


@dataclass(frozen=True)
class LiveValues:
    """What an answer may rest on at this moment."""

    wall_s: float
    """Seconds since 1970."""
    state: str | None = None
    atp: float | None = None
    """0..100"""
    battery: Sensor = lambda: None
    """Charge, 0..1. Sensors are read only where an answer names them."""
    temperature: Sensor = lambda: None
    """°C"""
    local: Callable[[float], datetime] = datetime.fromtimestamp
    """Seconds since 1970 → local time."""

    @property
    def now(self) -> datetime:
        return self.local(self.wall_s)


@dataclass(frozen=True)
class Field:
    """A value named in an answer."""

    name: str
    spec: str = ""


Piece = str | Field


@dataclass(frozen=True)
class Filled:
    text: str
    missing: tuple[str, ...] = ()
    """Live values that were named and are not known."""


def parse(answer: str, slots: Mapping[str, Slot]) -> tuple[Piece, ...]:
    """The answer in pieces. ValueError where it names what is neither live nor one of these slots.

    `slots`: those that every phrase of the pattern has, so that each of its sentences fills them.
    """
    try:
        found = list(string.Formatter().parse(answer))
    except ValueError as error:
        raise ValueError(f"the answer {answer!r}: {error}; write {{{{ and }}}} for braces that are meant") from error
    pieces: list[Piece] = []
    for text, name, spec, conversion in found:
        if text:
            pieces.append(text)
        if name is not None:
            if conversion:
                raise ValueError(f"the answer {answer!r}: !{conversion} means nothing here")
            _check(name, spec or "", slots)
            pieces.append(Field(name, spec or ""))
    return tuple(pieces)


def fill(pieces: tuple[Piece, ...], captured: Mapping[str, Captured], live: LiveValues, missing: str = "") -> Filled:
    """The answer as it is given now; `missing` instead where a live value is not known."""
    texts: list[str] = []
    unknown: list[str] = []
    for piece in pieces:
        if isinstance(piece, str):
            texts.append(piece)
        elif piece.name in captured:
            texts.append(captured[piece.name].words)
        elif (value := _LIVE[piece.name](live, piece.spec, captured)) is not None:
            texts.append(value)
        else:
            unknown.append(piece.name)
    if unknown:
        return Filled(missing or f"I do not know my {' and '.join(unknown)} now.", tuple(unknown))
    return Filled("".join(texts))


def names(pieces: tuple[Piece, ...]) -> frozenset[str]:
    """The live values that an answer names."""
    return frozenset(piece.name for piece in pieces if isinstance(piece, Field) and piece.name in _LIVE)


def spoken_values(live: LiveValues) -> dict[str, str]:
    """Every value that is known now, as an answer would say it."""
    values = {name: show(live, "", {}) for name, show in _LIVE.items() if name != "until"}
    return {name: value for name, value in values.items() if value is not None}


def _check(name: str, spec: str, slots: Mapping[str, Slot]) -> None:
    if name in slots and not spec:
        return
    if name not in _LIVE:
        raise ValueError(f"the answer names no live value or slot by {{{name}}}{suggest(name, [*_LIVE, *slots])}")
    if name == "until":
        _expect(spec, slots, Clock, "a time of day", f"{{until:{spec}}}")
    elif spec:
        found = _SHIFT.fullmatch(spec)
        if name not in _TIMED or found is None:
            raise ValueError(f"{{{name}:{spec}}}: expected such as {{time:+5 minutes}}, for {', '.join(_TIMED)} only")
        if not found[2].isdigit():
            _expect(found[2], slots, int, "a number", f"{{{name}:{spec}}}")


def _expect(slot: str, slots: Mapping[str, Slot], kind: type, what: str, where: str) -> None:
    if slot not in slots:
        raise ValueError(f"{where}: there is no slot {slot!r} in every phrase of the pattern")
    if not all(isinstance(value, kind) for value in slots[slot].forms.values()):
        raise ValueError(f"{where}: the slot {slot!r} does not stand for {what}")


def _moment(live: LiveValues, spec: str, captured: Mapping[str, Captured]) -> datetime:
    """Minutes and hours pass as they do; days are those of the calendar."""
    found = _SHIFT.fullmatch(spec)
    if found is None:
        return live.now
    sign, count, unit = found.groups()
    number = int(count) if count.isdigit() else captured[count].value
    assert isinstance(number, int), "checked when the file was read"
    number = -number if sign == "-" else number
    if unit in ("days", "weeks"):
        return live.now + timedelta(**{unit: number})
    return live.local(live.wall_s + number * (60 if unit == "minutes" else 3600))


def _until(live: LiveValues, spec: str, captured: Mapping[str, Captured]) -> str:
    clock = captured[spec].value
    assert isinstance(clock, Clock), "checked when the file was read"
    now = live.now
    hours, minutes = divmod((clock.minute - 60 * now.hour - now.minute - 1) % clock.period + 1, 60)
    said = [_counted(hours, "hour")] if hours else []
    return " and ".join([*said, _counted(minutes, "minute")] if minutes else said)


def _counted(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _date(live: LiveValues, spec: str, captured: Mapping[str, Captured]) -> str:
    day = _moment(live, spec, captured)
    return f"{day.day} {day:%B %Y}"


_LIVE: dict[str, Callable[[LiveValues, str, Mapping[str, Captured]], str | None]] = {
    "time": lambda live, spec, captured: f"{_moment(live, spec, captured):%H:%M}",
    "date": _date,
    "weekday": lambda live, spec, captured: f"{_moment(live, spec, captured):%A}",
    "until": _until,
    "state": lambda live, _spec, _captured: live.state,
    "atp": lambda live, _spec, _captured: None if live.atp is None else f"{live.atp:.0f}",
    "battery": lambda live, _spec, _captured: None if (now := live.battery()) is None else f"{100 * now:.0f}",
    "temperature": lambda live, _spec, _captured: None if (now := live.temperature()) is None else f"{now:.0f}",
}
LIVE = tuple(_LIVE)
