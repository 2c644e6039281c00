"""Places in a phrase that take one of many things: a word of a list, a number, a time of day.

Every slot is a finite set of forms, each with its value, so a form is found by one look-up and nothing is guessed.
What the ears may hear of a slot is a subset of its forms, spelled in words.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Annotated

import msgspec

DAY = 24 * 60
"""Minutes."""
_UNITS = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"),
    *("ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"),
)
_TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_MOST = 999


@dataclass(frozen=True)
class Clock:
    """A time of day."""

    minute: int
    period: int
    """Minutes after which it comes again: a day, or half of one where nobody said which half."""


Value = str | int | Clock


@dataclass(frozen=True)
class Slot:
    """`forms`: words as they are said, joined by spaces → value. `spoken`: the forms that the ears should expect."""

    forms: Mapping[str, Value]
    spoken: tuple[str, ...]
    longest: int
    """Words of the longest form."""


class WordsSlot(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag_field="kind", tag="words"):
    """One of these; a mapping gives each a number to reckon with."""

    words: tuple[str, ...] | dict[str, int]

    def __post_init__(self) -> None:
        if not self.words:
            raise ValueError("a list of words needs one at least")

    def slot(self) -> Slot:
        forms: dict[str, Value] = dict(self.words) if isinstance(self.words, dict) else {one: one for one in self.words}
        return _slot(forms, tuple(forms))


class NumberSlot(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag_field="kind", tag="number"):
    """A whole number within bounds, in words or digits."""

    least: Annotated[int, msgspec.Meta(ge=0, le=_MOST)] = 0
    most: Annotated[int, msgspec.Meta(ge=0, le=_MOST)]

    def __post_init__(self) -> None:
        if self.least > self.most:
            raise ValueError(f"no number lies between {self.least} and {self.most}")

    def slot(self) -> Slot:
        numbers = range(self.least, self.most + 1)
        forms: dict[str, Value] = {form: number for number in numbers for form in (str(number), *_spellings(number))}
        return _slot(forms, tuple(next(_spellings(number)) for number in numbers))


class ClockSlot(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag_field="kind", tag="time"):
    """A time of day: `half past three`, `3:30 pm`, `15:30`, `noon`. The ears expect the quarters of an hour."""

    def slot(self) -> Slot:
        return clock()


SlotSpec = WordsSlot | NumberSlot | ClockSlot


@cache
def clock() -> Slot:
    forms: dict[str, Value] = {"noon": Clock(DAY // 2, DAY), "midnight": Clock(0, DAY)}
    for hour in range(24):
        for minute in range(60):
            if hour == 0 or hour > 12:
                forms[f"{hour} {minute:02}"] = forms[f"{hour:02} {minute:02}"] = Clock(60 * hour + minute, DAY)
    for hour in range(1, 13):
        for minute in range(60):
            at = 60 * (hour % 12) + minute
            for form in _clock_forms(hour, minute):
                forms[form] = Clock(at, DAY // 2)
                for half, begins in (("am", 0), ("pm", DAY // 2)):
                    for written in _halves(form, half):
                        forms[written] = Clock(at + begins, DAY)
    quarters = tuple(form for hour in range(1, 13) for minute in (0, 15, 30, 45) for form in _said(hour, minute)[:1])
    return _slot(forms, ("noon", "midnight", *quarters))


def spell(number: int) -> str:
    """`342` → `three hundred and forty two`. ValueError outside 0..999."""
    if not 0 <= number <= _MOST:
        raise ValueError(f"{number} is outside 0..{_MOST}")
    return next(_spellings(number))


def _slot(forms: Mapping[str, Value], spoken: tuple[str, ...]) -> Slot:
    return Slot(forms, spoken, max(form.count(" ") + 1 for form in forms))


def _spellings(number: int) -> Iterator[str]:
    if number < 20:
        yield _UNITS[number]
    elif number < 100:
        tens = _TENS[number // 10 - 2]
        yield f"{tens} {_UNITS[number % 10]}" if number % 10 else tens
    else:
        hundreds, rest = f"{_UNITS[number // 100]} hundred", number % 100
        for each in _spellings(rest) if rest else ("",):
            yield f"{hundreds} and {each}" if each else hundreds
            if each:
                yield f"{hundreds} {each}"


def _said(hour: int, minute: int) -> list[str]:
    """How a time is said on a dial of twelve hours, the likeliest first."""
    this, following = _UNITS[hour], _UNITS[hour % 12 + 1]
    if minute == 0:
        return [f"{this} o'clock", this]
    direct = f"{this} {'oh ' if minute < 10 else ''}{spell(minute)}"
    past = {15: ["quarter past"], 30: ["half past"]}.get(minute, [f"{spell(minute)} past"] if minute % 5 == 0 else [])
    to = {45: ["quarter to"]}.get(minute, [f"{spell(60 - minute)} to"] if minute % 5 == 0 and minute > 30 else [])
    around = [f"{words} {this}" for words in past if minute <= 30] + [f"{words} {following}" for words in to]
    articles = [f"a {words}" for words in around if words.startswith("quarter")]
    return [*around, *articles, direct]


def _clock_forms(hour: int, minute: int) -> list[str]:
    digits = [f"{hour} {minute:02}", f"{hour:02} {minute:02}"]
    return [*_said(hour, minute), *digits, *([str(hour), f"{hour} o'clock"] if minute == 0 else [])]


def _halves(form: str, half: str) -> Iterator[str]:
    """`3 pm`, `3pm`, `3 p m`; said with "o'clock" there is none."""
    if form.endswith("o'clock"):
        return
    yield f"{form} {half}"
    yield f"{form} {half[0]} {half[1]}"
    if form[-1].isdigit():
        yield f"{form}{half}"
