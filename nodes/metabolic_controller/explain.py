"""What would have to be otherwise for another state to follow: asked of the machine itself, not told a second time.

From the inputs as they are, one is changed to another of its regions, then two, then three, until the machine decides
for the state in question. So the answer is right whatever the rules are, and as short as it can be.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations, product
from typing import Any

import msgspec

from nodes.metabolic_controller.config import MetabolismConfig
from nodes.metabolic_controller.machine import Inputs, step
from nodes.metabolic_controller.regions import Grid, grid, hours
from protocol.messages.metabolism import Metabolic, Way
from runtime.units import format_duration

Change = tuple[str, Any]
"""(field of `Inputs`, the value that stands for its region)"""

MOST_CHANGES = 3
_WORDS = {
    "quiet_s": "quiet",
    "atp": "ATP",
    "errors": "failed exchanges",
    "waiting": "exchanges waiting",
    "hour": "hour",
}


def ways(state: Metabolic, inputs: Inputs, config: MetabolismConfig) -> list[Way]:
    """For every state that can follow directly, the fewest changes of the inputs after which it does.

    A state that lasts its dwell time has lasted it. Without an operator, where that is possible.
    """
    known = grid(config, inputs.hour)
    return [way for target in Metabolic if target is not state and (way := _way(state, target, inputs, known, config))]


def _way(state: Metabolic, target: Metabolic, inputs: Inputs, known: Grid, config: MetabolismConfig) -> Way | None:
    for by_operator in (False, True):
        alternatives = _alternatives(inputs, known, config, by_operator=by_operator)
        for count in range(MOST_CHANGES + 1):
            for fields in combinations(alternatives, count):
                for values in product(*(alternatives[field] for field in fields)):
                    changes = list(zip(fields, values, strict=True))
                    changed = msgspec.structs.replace(inputs, **dict(changes))
                    if step(state, changed, config.dwell(state), config).state is target:
                        return Way(state=target, needs=[_told(change, inputs, known) for change in changes])
    return None


def _alternatives(
    inputs: Inputs, known: Grid, config: MetabolismConfig, *, by_operator: bool
) -> dict[str, Sequence[Any]]:
    """Other regions of each input, the nearest first."""
    found: dict[str, Sequence[Any]] = {
        "quiet_s": list(_others(inputs.quiet_s, known.quiet)),
        "salience": list(_others(inputs.salience, known.salience)),
        "atp": list(_others(inputs.atp, known.atp)),
        "errors": list(_others(inputs.errors, known.errors)),
        "lessons": list(_others(inputs.lessons, known.lessons)),
        "waiting": [0 if inputs.waiting else 1],
        "speech": [not inputs.speech],
        "strain": [strain for strain in known.strain if strain is not inputs.strain],
        "hour": [hour for hour in hours(config) if config.night.holds(hour) != config.night.holds(inputs.hour)],
        "request": [wish for wish in (None, *Metabolic) if wish is not inputs.request],
    }
    if not by_operator and inputs.request is None:
        del found["request"]
    return found


def _others(value: float, values: Sequence[float]) -> Iterator[float]:
    """One value for each other region, nearest to `value` first."""
    own = max((known for known in values if known <= value), default=values[0])
    yield from sorted((known for known in values if known != own), key=lambda known: abs(known - value))


def _told(change: Change, inputs: Inputs, known: Grid) -> str:
    field, value = change
    now = getattr(inputs, field)
    match field:
        case "request":
            return f"an operator asks for {value}" if value else "the operator's wish is over"
        case "speech":
            return "somebody speaks" if value else "nobody speaks"
        case "strain":
            return f"the machine is strained: {value.name.lower()} (now {now.name.lower()})"
        case "hour":
            return "by day or by night, as it is not now"
    word = _WORDS.get(field, field)
    if value > now:
        return f"{word} of {_amount(field, value)} or more (now {_amount(field, now)})"
    above = [other for other in _values(known, field) if other > value]
    return f"{word} below {_amount(field, min(above, default=value))} (now {_amount(field, now)})"


def _values(known: Grid, field: str) -> Sequence[float]:
    name = {"quiet_s": "quiet"}.get(field, field)
    return getattr(known, name, (0, 1))


def _amount(field: str, value: float) -> str:
    if field == "quiet_s":
        return format_duration(round(value)) if value >= 1 else "0s"
    return f"{value:.2f}" if field == "salience" else f"{value:.0f}"
