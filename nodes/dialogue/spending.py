"""What an exchange cost, in ATP and as a bill for the controller. Values in, values out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from protocol.messages.metabolism import Energy, Settle
from protocol.messages.model import Generated


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


def bill(
    exchange: str,
    answers: Sequence[Generated],
    at: Rates,
    *,
    other_cpu_s: float = 0.0,
    salience: float = 0.0,
) -> Settle:
    """One bill for all that was asked of models, and for other processor seconds.

    A bill is settled by its joules if it has any. So where some answers were measured and others not, what processor
    seconds count for is added to the joules; where that is not known, processor seconds speak for all.
    """
    cpu_s = other_cpu_s + sum(one.cpu_s for one in answers)
    unmeasured = other_cpu_s + sum(one.cpu_s for one in answers if not one.joules)
    measured = sum(one.joules for one in answers)
    usable = measured > 0 and (not unmeasured or at.watts > 0)
    sources = sorted({one.joules_source for one in answers if one.joules_source})
    return Settle(
        ident=exchange,
        kind="exchange",
        cpu_s=cpu_s,
        joules=measured + unmeasured * at.watts if usable else 0.0,
        source="+".join(sources) if usable else "",
        salience=salience,
    )
