"""What is changed to see what the figures hang on: the world, and the machine's own thresholds; one thing at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import msgspec

from experiments.metabolism.world import Device, World
from nodes.metabolic_controller.config import MetabolismConfig

S = TypeVar("S", bound=msgspec.Struct)
World_ = Callable[[World], World]
Settings = Callable[[MetabolismConfig], MetabolismConfig]

AS_IT_IS = "as it is"
FACTORS = ((0.5, "× ½"), (2.0, "× 2"))
MORNING = 7
"""Hour at which every night ends."""
_SILENT, _SELDOM = 0.01, 0.1
"""Conversations of one person in an hour of the night; in an hour that was one, and is none."""


class Mended(msgspec.Struct, frozen=True):
    """The machine otherwise than it ships."""

    name: str
    change: Settings


def worlds() -> Iterator[tuple[str, World_]]:
    """Name, and the world that differs from the given one by this alone; first the given one."""
    yield AS_IT_IS, lambda world: world
    for name, scale in _SCALES.items():
        for factor, word in FACTORS:
            yield f"{name} {word}", _scaled(scale, factor)
    for hours in (5, 11):
        yield f"night of {hours} h", _night(hours)
    yield "no noises", lambda world: _people(world, noises=0.0)
    yield "no incident", lambda world: _with(world, incident=_with(world.incident, lasts=0.0, questions=0.0))
    yield "device: two cores", lambda world: _with(world, device="cores")
    yield "questions × 10", ten_times


def machines() -> Iterator[Mended]:
    """The shipped machine, then with one threshold changed, then as the figures suggest."""
    yield Mended(AS_IT_IS, lambda settings: settings)
    for quiet, word in ((600.0, "10m"), (1200.0, "20m")):
        yield Mended(f"dream.after {word}", _changed("dream", after=quiet))
    for quiet, word in ((60.0, "1m"), (120.0, "2m")):
        yield Mended(f"rest.after {word}", _changed("rest", after=quiet))
    for lessons in (4, 24):
        yield Mended(f"dream.lessons {lessons}", _changed("dream", lessons=lessons))
    for window, word in ((60.0, "1m"), (300.0, "5m")):
        yield Mended(f"crisis.window {word}", _changed("crisis", window=window))


def ten_times(world: World) -> World:
    """As many conversations."""
    return _rate(world, 10.0)


def _rate(world: World, factor: float) -> World:
    people = world.people
    return _people(
        world,
        workday=tuple(rate * factor for rate in people.workday),
        weekend=tuple(rate * factor for rate in people.weekend),
    )


def _bursts(world: World, factor: float) -> World:
    """Longer or shorter conversations; as many questions in all."""
    longer = max(1.0, world.people.questions * factor)
    return _people(_rate(world, world.people.questions / longer), questions=longer)


def _pause(world: World, factor: float) -> World:
    return _people(world, pause=world.people.pause * factor)


def _answers(world: World, factor: float) -> World:
    return _device(world, lambda device: _levels(device, factor, "atp"))


def _answer_times(world: World, factor: float) -> World:
    return _device(world, lambda device: _levels(device, factor, "first", "whole"))


def _loads(world: World, factor: float) -> World:
    return _device(world, lambda device: _levels(device, factor, "load", "load_atp"))


def _dreams(world: World, factor: float) -> World:
    return _device(world, lambda device: _with(device, dream=_with(device.dream, atp=device.dream.atp * factor)))


def _dream_times(world: World, factor: float) -> World:
    return _device(
        world,
        lambda device: _with(
            device,
            dream=_with(device.dream, fixed=device.dream.fixed * factor, lesson=device.dream.lesson * factor),
        ),
    )


def _base(world: World, factor: float) -> World:
    return _with(world, base={state: atp * factor for state, atp in world.base.items()})


_SCALES: dict[str, Callable[[World, float], World]] = {
    "questions": _rate,
    "bursts": _bursts,
    "pauses": _pause,
    "ATP of answers": _answers,
    "time of answers": _answer_times,
    "ATP and time of loads": _loads,
    "ATP of dreams": _dreams,
    "length of dreams": _dream_times,
    "base metabolism": _base,
}


def _night(hours: int) -> World_:
    """Silent for so many hours before the morning; the conversations of the day are spread over the others."""

    def change(world: World) -> World:
        day = world.people.workday
        silent = {(MORNING - 1 - back) % 24 for back in range(hours)}
        waking = [hour for hour in range(24) if hour not in silent]
        scale = sum(day) / sum(max(day[hour], _SELDOM) for hour in waking)
        hourly = tuple(_SILENT if hour in silent else max(day[hour], _SELDOM) * scale for hour in range(24))
        return _people(world, workday=hourly)

    return change


def _scaled(scale: Callable[[World, float], World], factor: float) -> World_:
    return lambda world: scale(world, factor)


def _changed(part: str, **values: Any) -> Settings:
    return lambda settings: _with(settings, **{part: _with(getattr(settings, part), **values)})


def _people(world: World, **values: Any) -> World:
    return _with(world, people=_with(world.people, **values))


def _device(world: World, change: Callable[[Device], Device]) -> World:
    return _with(world, devices={**world.devices, world.device: change(world.devices[world.device])})


def _levels(device: Device, factor: float, *fields: str) -> Device:
    levels = tuple(
        _with(level, **{field: getattr(level, field) * factor for field in fields}) for level in device.levels
    )
    return _with(device, levels=levels)


def _with(struct: S, **values: Any) -> S:
    return msgspec.structs.replace(struct, **values)
