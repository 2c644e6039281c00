"""Which level answers, and why. A function of what is known: trust, energy, metabolic policy, measured costs.

    cheapest    the cheapest level that is trusted in this context; now and then a cheaper one that may yet be good is
                tried instead. Where none is trusted, the level at which a cascade begins best: highest p - price x cost
    quality     the trusted level most likely right; a conversation keeps its level while that is trusted
    largest     the most capable level, whatever it costs

A level is trusted in a context where the lower end of the 90% interval of its success reaches `trusted_at`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated

import msgspec

from nodes.trust_ledger.config import TrustConfig
from nodes.trust_ledger.table import Arm, belief
from protocol.messages.trust import TrustRow, TrustTable

Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
NO_TABLE = TrustTable(entries=0, rows=[])


class ChoiceSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    trusted_at: Share = 0.7
    """Lower end of the interval of success at which a level is trusted."""
    price: Share = 0.15
    """What one answer of the dearest level is worth, in probability of a right answer."""
    poor_below: Annotated[float, msgspec.Meta(ge=0)] = 25.0
    """ATP in the account under which energy grows dearer."""
    poor_factor: Annotated[float, msgspec.Meta(ge=1)] = 4.0
    """How many times dearer it is when nothing is left."""
    explore: Share = 0.3
    """Chance of trying a level of which nothing is known instead of the best known; falls with the uncertainty."""
    noticed: Share = 0.9
    """Share of wrong answers that the cascade is expected to notice."""
    alarms: Share = 0.2
    """Share of right answers that it is expected to doubt."""


@dataclass(frozen=True)
class Candidate:
    """A level that could answer."""

    name: str
    cost: float
    """Of an exchange, against the other levels, as long as none was measured; positive."""
    accept_at: float = 0.0
    """Confidence at which its answer stands: see `cascade`."""
    available: bool = True


@dataclass(frozen=True)
class Situation:
    """Everything a choice depends on. The same situation always gives the same choice."""

    context: str
    trust: TrustConfig
    """What is believed of a level before it has shown anything."""
    table: TrustTable = NO_TABLE
    versions: Mapping[str, str] = field(default_factory=dict)
    """Level → the version that answers now, where it is known."""
    policy: str = "cheapest"
    """`cheapest`, `quality` or `largest`: see `protocol.messages.metabolism.Policy`."""
    atp: float | None = None
    """What is in the account; None where nobody says."""
    asked_for: str = ""
    """A level that the asker wants."""
    session_level: str = ""
    """The level that answered last in this conversation."""
    draw: float = 1.0
    """Uniform in [0, 1): the chance there is in a choice."""


@dataclass(frozen=True)
class Choice:
    level: str
    why: str
    trusted: bool
    """Whether its answer may be given out while it is still being made."""


@dataclass(frozen=True)
class Option:
    """A level as it stands in a situation."""

    name: str
    rank: int
    row: TrustRow
    cost: float
    """As a share of the dearest level's."""
    trusted: bool

    @property
    def doubt(self) -> float:
        return self.row.high - self.row.low

    def told(self, context: str) -> str:
        if not self.row.evidence:
            return f"nothing shown in {context} yet, {self.row.mean:.2f} expected"
        return f"right {self.row.low:.2f} to {self.row.high:.2f} in {context} by {self.row.evidence:.1f} outcomes"


def choose(levels: Sequence[Candidate], situation: Situation, settings: ChoiceSettings) -> Choice:
    """The level that should answer. `levels` from least to most capable; ValueError if there is none at all.

    Where every level is said to be unavailable, that is not believed: trying is the only way to know.
    """
    if not levels:
        raise ValueError("there is no level to choose from")
    if situation.asked_for:
        return Choice(situation.asked_for, "asked for", trusted=True)
    present = [level for level in levels if level.available] or list(levels)
    gone = [level.name for level in levels if level not in present]
    choice = _by_policy(options(present, situation, settings), situation, settings)
    if not gone:
        return choice
    return Choice(choice.level, f"{choice.why}; {', '.join(gone)} not available", choice.trusted)


def options(levels: Sequence[Candidate], situation: Situation, settings: ChoiceSettings) -> list[Option]:
    """What is believed of each level here, and its cost, from least to most capable."""
    rows = [believe(level.name, situation) for level in levels]
    costs = relative_costs(levels, situation.table)
    return [
        Option(level.name, rank, row, cost, row.low >= settings.trusted_at)
        for rank, (level, row, cost) in enumerate(zip(levels, rows, costs, strict=True))
    ]


def believe(level: str, situation: Situation) -> TrustRow:
    """The row of the version that answers now; while that is unknown, of the one that has shown most here."""
    version = situation.versions.get(level)
    if version is None:
        rows = [row for row in situation.table.rows if (row.level, row.context) == (level, situation.context)]
        version = max(rows, key=lambda row: row.evidence).version if rows else ""
    return belief(situation.table, Arm(level, version, situation.context), situation.trust)


def relative_costs(levels: Sequence[Candidate], table: TrustTable) -> list[float]:
    """Cost of each level as a share of the dearest's: measured where it was, else the configured one to scale."""
    measured = {level.name: _measured_cost(level.name, table) for level in levels}
    scales = [cost / level.cost for level in levels if (cost := measured[level.name])]
    scale = sum(scales) / len(scales) if scales else 1.0
    costs = [measured[level.name] or level.cost * scale for level in levels]
    return [cost / max(costs) for cost in costs]


def price(situation: Situation, settings: ChoiceSettings) -> float:
    """What an answer of the dearest level is worth now: more, in a straight line, as the account falls low."""
    if situation.atp is None or not settings.poor_below:
        return settings.price
    poverty = 1 - min(1.0, max(0.0, situation.atp / settings.poor_below))
    return settings.price * (1 + (settings.poor_factor - 1) * poverty)


def cascade_worth(given: Sequence[Option], settings: ChoiceSettings) -> list[tuple[float, float]]:
    """For a cascade that begins at each option: probability of a right answer, and cost.

    From the most capable (p, c) downwards, with what is handed on to the next level h = p alarms + (1 - p) noticed:
    p' = p (1 - alarms) + h p'' and c' = c + h c'', where '' is the next level's cascade. Errors of different levels
    are taken as independent.
    """
    worth: list[tuple[float, float]] = []
    for option in reversed(given):
        right, cost = option.row.mean, option.cost
        if worth:
            handed = right * settings.alarms + (1 - right) * settings.noticed
            after_right, after_cost = worth[-1]
            right, cost = right * (1 - settings.alarms) + handed * after_right, cost + handed * after_cost
        worth.append((right, cost))
    return worth[::-1]


def _by_policy(given: Sequence[Option], situation: Situation, settings: ChoiceSettings) -> Choice:
    if situation.policy == "largest":
        return Choice(given[-1].name, "the most capable answers, whatever it costs", trusted=True)
    trusted = [option for option in given if option.trusted]
    if situation.policy == "quality":
        return _best(given, trusted, situation)
    if trusted:
        return _cheapest(given, min(trusted, key=lambda option: option.cost), situation, settings)
    return _cascade(given, situation, settings)


def _best(given: Sequence[Option], trusted: Sequence[Option], situation: Situation) -> Choice:
    kept = next((option for option in trusted if option.name == situation.session_level), None)
    if kept is not None:
        return Choice(kept.name, f"the conversation keeps its level; {kept.told(situation.context)}", trusted=True)
    best = max(trusted or given, key=lambda option: (option.row.mean, option.rank))
    return Choice(best.name, f"most likely right; {best.told(situation.context)}", best.trusted)


def _cheapest(given: Sequence[Option], best: Option, situation: Situation, settings: ChoiceSettings) -> Choice:
    """The cheapest trusted level, or by chance the most doubtful of the cheaper ones that may yet deserve trust."""
    may_yet = [
        option
        for option in given
        if option.cost < best.cost and not option.trusted and option.row.high >= settings.trusted_at
    ]
    tried = max(may_yet, key=lambda option: option.doubt, default=None)
    if tried is not None and situation.draw < settings.explore * tried.doubt:
        why = f"tried instead of {best.name}, to learn whether it can; {tried.told(situation.context)}"
        return Choice(tried.name, why, trusted=False)
    return Choice(best.name, f"the cheapest that is trusted; {best.told(situation.context)}", trusted=True)


def _cascade(given: Sequence[Option], situation: Situation, settings: ChoiceSettings) -> Choice:
    now = price(situation, settings)
    worth = [right - now * cost for right, cost in cascade_worth(given, settings)]
    best = given[max(range(len(given)), key=lambda at: worth[at])]
    return Choice(
        best.name, f"none is trusted yet, the best to begin with; {best.told(situation.context)}", trusted=False
    )


def _measured_cost(level: str, table: TrustTable) -> float:
    """Mean ATP of an exchange over all contexts and versions, weighted by evidence; 0 where none was measured."""
    measured = [
        (row.atp, row.evidence) for row in table.rows if row.level == level and row.atp > 0 and row.evidence > 0
    ]
    weight = sum(evidence for _, evidence in measured)
    return sum(atp * evidence for atp, evidence in measured) / weight if weight else 0.0
