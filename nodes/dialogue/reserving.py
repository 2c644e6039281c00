"""Energy held for an exchange before a model is asked: how much, and who is asked instead where it is refused.

A level's answer is expected to cost what `sage calibrate` measured for a conversation of that length and the longest
answer it may give; where it was not calibrated, the mean of what its exchanges were charged. Where neither is known
nothing is held. For a larger level that would go on where the first was in doubt, its cost is held on top of what was
spent by then, before it is asked; where that is refused, the first answer stands. Values in, values out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from nodes.dialogue.choice import Choice
from nodes.dialogue.config import LevelConfig
from nodes.dialogue.spending import Rates
from protocol.messages.metabolism import Reserve, Reserved
from protocol.messages.trust import TrustTable
from runtime.power.costs import LevelCosts

SLACK_S = 60.0
"""What is held stays so for this long after the asker has given up: its settlement may still be under way."""


@dataclass(frozen=True)
class Means:
    """What is known of the costs of one exchange."""

    levels: Sequence[LevelConfig]
    """Least capable first; those that can be asked."""
    costs: Callable[[str], LevelCosts | None]
    table: TrustTable
    rates: Rates
    characters: int
    """Of the conversation that the models are given."""
    new_tokens: int
    """That the asker allows; 0: as many as a level may say."""

    def estimate(self, level: str) -> float:
        """ATP that an answer of the level is expected to cost; 0 where nothing is known of it."""
        known = self.costs(level)
        if known is None:
            return charged(level, self.table)
        cost = known.of_answer(self.characters, self.new_tokens)
        return self.rates.atp(cost.cpu_s, cost.joules)

    def cheaper(self, level: str) -> list[LevelConfig]:
        """The less capable levels that are expected to cost less."""
        names = [one.name for one in self.levels]
        below = self.levels[: names.index(level)] if level in names else []
        return [one for one in below if self.estimate(one.name) < self.estimate(level)]


def wish(exchange: str, choice: Choice, means: Means, *, asked_for: bool, remaining_s: float) -> Reserve | None:
    """What to ask the controller for; None where nothing is known of the costs."""
    atp = means.estimate(choice.level)
    if not atp:
        return None
    return Reserve(
        ident=exchange,
        atp=atp,
        ttl_s=max(0.0, remaining_s) + SLACK_S,
        least=asked_for or not means.cheaper(choice.level),
    )


def further(
    exchange: str, level: str, means: Means, spent: float, *, least: bool, remaining_s: float
) -> Reserve | None:
    """What to ask for so that `level` may go on after so much was `spent`; None where nothing is known of its costs.

    `least`: nobody has answered yet, so it is not refused.
    """
    atp = means.estimate(level)
    if not atp:
        return None
    return Reserve(ident=exchange, atp=spent + atp, ttl_s=max(0.0, remaining_s) + SLACK_S, least=least)


def instead(choice: Choice, refused: Reserved, means: Means) -> Choice:
    """Who is asked where `choice` was refused: the most capable of the cheaper levels that there is energy for.

    The cheapest where there is none for any: whoever asks is answered.
    """
    cheaper = means.cheaper(choice.level)
    within = [level for level in cheaper if means.estimate(level.name) <= refused.available]
    stand_in = within[-1] if within else min(cheaper, key=lambda level: means.estimate(level.name))
    why = f"{stand_in.name} instead of {choice.level}, for which there is no energy ({refused.reason})"
    return replace(choice, level=stand_in.name, why=f"{choice.why}; {why}", trusted=False)


def charged(level: str, table: TrustTable) -> float:
    """Mean ATP that exchanges of the level were charged, whatever they were about; 0 where none was."""
    known = [(row.atp, row.evidence) for row in table.rows if row.level == level and min(row.atp, row.evidence) > 0]
    weight = sum(evidence for _, evidence in known)
    return sum(atp * evidence for atp, evidence in known) / weight if weight else 0.0


def dearer(level: str, means: Means) -> frozenset[str]:
    """Levels that cost more than the one there is energy for."""
    most = means.estimate(level)
    return frozenset(one.name for one in means.levels if means.estimate(one.name) > most)
