"""What an exchange cost, in ATP and as a bill for the controller. Values in, values out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from protocol.messages.metabolism import Energy, Settle
from protocol.messages.model import Generated
from runtime.power.costs import LevelCosts

CALIBRATED = "calibrated"
"""Source of joules that nobody counted, because whoever would have is dead: by what `sage calibrate` measured."""


@dataclass(frozen=True)
class Spent:
    """What one answer took, or what there was of it."""

    cpu_s: float
    joules: float = 0.0
    source: str = ""
    """What counted the joules; empty where nothing did."""


@dataclass(frozen=True)
class Rates:
    """ATP of what is measured, as the controller counts it; 0 where it has not said."""

    cpu_s: float = 0.0
    joule: float = 0.0

    def atp(self, cpu_s: float, joules: float) -> float:
        """By joules where they were measured, else by processor seconds."""
        return joules * self.joule if joules > 0 and self.joule > 0 else cpu_s * self.cpu_s

    @property
    def watts(self) -> float:
        """What a processor second counts for in joules."""
        return self.cpu_s / self.joule if self.joule > 0 else 0.0


def rates(energy: Energy | None) -> Rates:
    return Rates(energy.atp_per_cpu_s, energy.atp_per_joule) if energy else Rates()


def free(energy: Energy) -> float:
    """ATP there is for an answer: what is left, save what others who wait for one have had held."""
    return energy.atp - energy.reserved + energy.reserved_for_dreams


def of(generated: Generated) -> Spent:
    return Spent(generated.cpu_s, generated.joules, generated.joules_source)


def lost(known: LevelCosts | None, characters: int, tokens: int, *, seconds: float, cpu_s: float) -> Spent:
    """What an answer took that died with its worker, from what is known of it; never nothing.

    By what was calibrated: all of the conversation read, as far as there was time for it, and the `tokens` that came.
    Else by the processor seconds that the worker was seen to take (`cpu_s`), else as if it had worked all the `seconds`
    from the call to its loss.
    """
    if known is not None:
        read = known.answer.plus(known.prefill.times(characters / known.characters_per_token / 1000))
        if not tokens and read.seconds > seconds:
            read = read.times(seconds / read.seconds)
        cost = read.plus(known.decode.times(tokens / 1000))
        if cost.cpu_s or cost.joules:
            return Spent(cost.cpu_s, cost.joules, CALIBRATED if cost.joules else "")
    return Spent(cpu_s or seconds)


def bill(
    exchange: str,
    spent: Sequence[Spent],
    at: Rates,
    *,
    other_cpu_s: float = 0.0,
    salience: float = 0.0,
) -> Settle:
    """One bill for all that was spent on models, and for other processor seconds.

    A bill is settled by its joules if it has any. So where some answers were measured and others not, what processor
    seconds count for is added to the joules; where that is not known, processor seconds speak for all.
    """
    cpu_s = other_cpu_s + sum(one.cpu_s for one in spent)
    unmeasured = other_cpu_s + sum(one.cpu_s for one in spent if not one.joules)
    measured = sum(one.joules for one in spent)
    usable = measured > 0 and (not unmeasured or at.watts > 0)
    sources = sorted({one.source for one in spent if one.source})
    return Settle(
        ident=exchange,
        kind="exchange",
        cpu_s=cpu_s,
        joules=measured + unmeasured * at.watts if usable else 0.0,
        source="+".join(sources) if usable else "",
        salience=salience,
    )
