"""The regions into which the thresholds of a configuration divide the machine's inputs, and one value for each.

The machine compares one input with one threshold at a time, by `<` or `>=`: two inputs in the same region are the same
to it, so a search over representatives is a search over everything.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import TypeVar

import msgspec

from nodes.metabolic_controller.body import Strain
from nodes.metabolic_controller.config import LOUD, MetabolismConfig
from nodes.metabolic_controller.machine import Inputs
from protocol.messages.metabolism import Metabolic

Number = TypeVar("Number", int, float)


class Grid(msgspec.Struct, frozen=True, kw_only=True):
    """One value for each region of each input, at one hour."""

    hour: float
    atp: tuple[float, ...]
    salience: tuple[float, ...]
    quiet: tuple[float, ...]
    errors: tuple[int, ...]
    lessons: tuple[int, ...]
    stirring: tuple[tuple[int, bool], ...] = ((0, False), (1, False), (0, True))
    """(waiting, speech)"""
    strain: tuple[Strain, ...] = tuple(Strain)
    request: tuple[Metabolic | None, ...] = (None, *Metabolic)


def hours(config: MetabolismConfig) -> tuple[float, ...]:
    """An hour of the day, and one of the night, of those that there are."""
    night = config.night
    by_kind = {night.holds(hour): hour for hour in (0.0, night.begins % 24, night.ends % 24)}
    return tuple(by_kind[kind] for kind in (False, True) if kind in by_kind)


def grid(config: MetabolismConfig, hour: float) -> Grid:
    """The thresholds of `config` at that hour, and for each input a value below the first of them."""
    focus, rest, dream, crisis = config.focus, config.rest, config.dream, config.crisis
    return Grid(
        hour=next(known for known in hours(config) if config.night.holds(known) == config.night.holds(hour)),
        atp=_values(
            -config.energy.overdraft, focus.enter_atp, focus.leave_atp, rest.tired_atp, dream.enter_atp, dream.leave_atp
        ),
        salience=_values(0.0, focus.enter_salience, focus.leave_salience, config.rouse_salience(hour), LOUD),
        quiet=_values(0.0, focus.quiet, config.rest_after(hour), rest.tired_after, config.dream_after(hour)),
        errors=_values(0, crisis.enter_errors, crisis.leave_errors),
        lessons=_values(0, dream.lessons),
    )


def representative(inputs: Inputs, config: MetabolismConfig) -> Inputs:
    """The member of the grid that stands for `inputs`."""
    known = grid(config, inputs.hour)
    return Inputs(
        hour=known.hour,
        strain=inputs.strain,
        atp=_floor(inputs.atp, known.atp),
        salience=_floor(inputs.salience, known.salience),
        quiet_s=_floor(inputs.quiet_s, known.quiet),
        errors=_floor(inputs.errors, known.errors),
        waiting=min(inputs.waiting, 1),
        speech=inputs.speech,
        request=inputs.request,
        lessons=_floor(inputs.lessons, known.lessons),
    )


def others(known: Grid) -> Iterator[Inputs]:
    """Every combination of what is not ATP or quiet."""
    for salience, errors, lessons, (waiting, speech), request, strained in product(
        known.salience, known.errors, known.lessons, known.stirring, known.request, known.strain
    ):
        yield Inputs(
            atp=0.0,
            salience=salience,
            errors=errors,
            lessons=lessons,
            waiting=waiting,
            speech=speech,
            request=request,
            hour=known.hour,
            strain=strained,
        )


def _values(*thresholds: Number) -> tuple[Number, ...]:
    return tuple(sorted(set(thresholds)))


def _floor(value: Number, values: tuple[Number, ...]) -> Number:
    """The largest of `values` that is not above `value`; the smallest where all are."""
    return max((known for known in values if known <= value), default=values[0])
