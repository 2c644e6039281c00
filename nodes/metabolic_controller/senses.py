"""What was heard lately, and what it amounts to now: events fold into `Senses`, `read` makes the machine's inputs.

Values only; the clock time of each event is an argument, in seconds of one monotonic clock.
"""

from __future__ import annotations

import msgspec

from nodes.metabolic_controller.body import Body, strain
from nodes.metabolic_controller.config import ERRORS_KEPT, MetabolismConfig, SensesConfig
from nodes.metabolic_controller.machine import ASLEEP, Inputs
from protocol.messages.metabolism import Metabolic

ENDED_KEPT = 256
NOON = 12.0


class Wish(msgspec.Struct, frozen=True):
    state: Metabolic
    since_s: float


class Senses(msgspec.Struct, frozen=True, kw_only=True):
    stirred_s: float
    """When anything last stirred."""
    salience: float = 0.0
    salience_s: float = 0.0
    """When `salience` was sensed; it fades from then on."""
    speaking_s: float | None = None
    """Since when somebody speaks."""
    waiting: dict[str, float] = {}
    """Exchange → since when somebody waits for it."""
    ended: tuple[str, ...] = ()
    """Exchanges completed lately: news of their start may come after that of their end."""
    errors: tuple[float, ...] = ()
    """When exchanges failed, oldest first."""
    wish: Wish | None = None
    lessons: int = 0
    body: Body = Body()
    """As it was when it was last looked at."""


class Remembered(msgspec.Struct, frozen=True, kw_only=True):
    """What of the senses outlives the controller. Wall times, in ns."""

    errors: tuple[int, ...] = ()
    wish: Metabolic | None = None
    wished_ns: int = 0
    salience: float = 0.0
    salience_ns: int = 0


def remember(senses: Senses, now_s: float, wall_ns: int) -> Remembered:
    def wall(at_s: float) -> int:
        return wall_ns - round((now_s - at_s) * 1e9)

    return Remembered(
        errors=tuple(wall(at_s) for at_s in senses.errors),
        wish=senses.wish.state if senses.wish else None,
        wished_ns=wall(senses.wish.since_s) if senses.wish else 0,
        salience=senses.salience,
        salience_ns=wall(senses.salience_s),
    )


def recall(known: Remembered, lessons: int, now_s: float, wall_ns: int) -> Senses:
    """The senses of a controller that has just started. What a clock that was put back calls the future is now."""

    def clock(at_ns: int) -> float:
        return now_s - max(0.0, (wall_ns - at_ns) / 1e9)

    return Senses(
        stirred_s=now_s,
        salience=known.salience,
        salience_s=clock(known.salience_ns),
        errors=tuple(clock(at_ns) for at_ns in known.errors),
        wish=Wish(known.wish, clock(known.wished_ns)) if known.wish else None,
        lessons=lessons,
    )


def speech(senses: Senses, speaking: bool, now_s: float) -> Senses:
    return msgspec.structs.replace(senses, stirred_s=now_s, speaking_s=now_s if speaking else None)


def started(senses: Senses, exchange: str, now_s: float) -> Senses:
    waiting = senses.waiting if exchange in senses.ended else {**senses.waiting, exchange: now_s}
    return msgspec.structs.replace(senses, stirred_s=now_s, waiting=waiting)


def completed(senses: Senses, exchange: str, failed: bool, now_s: float) -> Senses:
    waiting = {known: since for known, since in senses.waiting.items() if known != exchange}
    errors = (*senses.errors, now_s)[-ERRORS_KEPT:] if failed else senses.errors
    ended = (*senses.ended, exchange)[-ENDED_KEPT:]
    return msgspec.structs.replace(senses, stirred_s=now_s, waiting=waiting, ended=ended, errors=errors)


def noticed(senses: Senses, salience: float, now_s: float, config: SensesConfig) -> Senses:
    """Something of this salience happened. What is more salient still than it stays so."""
    now = max(min(1.0, max(0.0, salience)), faded(senses, now_s, config))
    return msgspec.structs.replace(senses, stirred_s=now_s, salience=now, salience_s=now_s)


def wished(senses: Senses, state: Metabolic, now_s: float) -> Senses:
    return msgspec.structs.replace(senses, wish=Wish(state, now_s))


def learned(senses: Senses, lessons: int) -> Senses:
    return msgspec.structs.replace(senses, lessons=lessons)


def felt(senses: Senses, body: Body) -> Senses:
    return msgspec.structs.replace(senses, body=body)


def faded(senses: Senses, now_s: float, config: SensesConfig) -> float:
    """The salience that is left of what was sensed."""
    age = max(0.0, now_s - senses.salience_s)
    return float(senses.salience * 0.5 ** (age / max(config.salience_half_life, 1e-3)))


def forget(senses: Senses, now_s: float, config: MetabolismConfig) -> Senses:
    """Drop what is too old to count: whoever should have ended it has died or lost the message."""
    limits = config.senses
    speaking = senses.speaking_s
    return msgspec.structs.replace(
        senses,
        speaking_s=speaking if speaking is not None and now_s - speaking < limits.speech_limit else None,
        waiting={name: since for name, since in senses.waiting.items() if now_s - since < limits.exchange_limit},
        errors=tuple(at for at in senses.errors if now_s - at < config.crisis.window),
        wish=senses.wish if senses.wish and now_s - senses.wish.since_s < limits.request_hold else None,
    )


def release(senses: Senses, left: Metabolic, state: Metabolic) -> Senses:
    """A wish for sleep ends when the whole was roused from it: it does not fall asleep again between two sentences."""
    if senses.wish is None or senses.wish.state not in ASLEEP or left not in ASLEEP or state is senses.wish.state:
        return senses
    return msgspec.structs.replace(senses, wish=None)


def read(senses: Senses, atp: float, now_s: float, config: MetabolismConfig, hour: float = NOON) -> Inputs:
    """What the machine senses now. Call `forget` first."""
    strained, strained_by = strain(senses.body, config.body)
    busy = bool(senses.waiting) or senses.speaking_s is not None
    return Inputs(
        atp=atp,
        salience=faded(senses, now_s, config.senses),
        quiet_s=0.0 if busy else max(0.0, now_s - senses.stirred_s),
        errors=len(senses.errors),
        waiting=len(senses.waiting),
        speech=senses.speaking_s is not None,
        request=senses.wish.state if senses.wish else None,
        lessons=senses.lessons,
        hour=hour,
        strain=strained,
        strained_by=strained_by,
    )
