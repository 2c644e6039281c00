"""A course as a picture: state, ATP and questions over the hours, for every rival."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

from experiments.metabolism.course import Course, Fate
from experiments.metabolism.world import HOUR_S, Stream, World
from protocol.messages.metabolism import Metabolic

FILE = "day.png"
ORDER = (Metabolic.DREAM, Metabolic.REST, Metabolic.WAKE, Metabolic.FOCUS, Metabolic.CRISIS)


def day(world: World, shown: Mapping[str, tuple[Stream, Course]]) -> bytes:
    """PNG. Raises ModuleNotFoundError where matplotlib is not installed."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(13, 4 * len(shown)), layout="constrained")
    axes = figure.subplots(2 * len(shown), 1, sharex=True, height_ratios=[2, 1.4] * len(shown))
    for number, (name, (stream, course)) in enumerate(shown.items()):
        _states(axes[2 * number], name, world, stream, course)
        _energy(axes[2 * number + 1], world, course)
    axes[-1].set_xlabel("hours from midnight before the course; shaded red: the incident, blue: dreams")
    out = io.BytesIO()
    figure.savefig(out, format="png", dpi=110)
    return out.getvalue()


def _states(axis: Any, name: str, world: World, stream: Stream, course: Course) -> None:
    """The state as a line of steps, and every question above it by what became of it."""
    times = [0.0, *(one.at_s for one in course.entered), course.seconds]
    states = [course.start, *(one.state for one in course.entered)]
    levels = [ORDER.index(state) for state in (*states, states[-1])]
    axis.step([_hour(world, at_s) for at_s in times], levels, where="post", color="#1b6ca8", linewidth=1)
    for fate, colour, mark in (
        (Fate.ANSWERED, "#2e933c", "|"),
        (Fate.FAILED, "#edae49", "x"),
        (Fate.LATE, "#d1495b", "v"),
        (Fate.ASLEEP, "#d1495b", "|"),
    ):
        asked = [_hour(world, told.question.at_s) for told in course.told if told.fate is fate]
        if asked:
            axis.plot(asked, [len(ORDER)] * len(asked), mark, color=colour, label=f"{fate}: {len(asked)}")
    axis.set_yticks(range(len(ORDER)), [str(state) for state in ORDER])
    begins = world.incident.after
    if begins < stream.seconds and world.incident.lasts:
        axis.axvspan(_hour(world, begins), _hour(world, begins + world.incident.lasts), color="#f4d9d9")
    axis.set_title(name)
    axis.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), fontsize=8)


def _energy(axis: Any, world: World, course: Course) -> None:
    axis.plot([_hour(world, look.at_s) for look in course.looks], [look.atp for look in course.looks], color="#6a4c93")
    for leg in course.legs:
        axis.axvspan(_hour(world, leg.began_s), _hour(world, leg.ended_s), color="#c9dff0")
    axis.set_ylabel("ATP")


def _hour(world: World, at_s: float) -> float:
    return world.begins + at_s / HOUR_S
