"""Which level answers, and why. A function of what is known: trust, energy, metabolic policy, measured costs.

    cheapest    the level of the highest utility p - price x cost, p being the chance that its answer, or that of a
                cascade begun with it, is right at this very question; until questions were replayed, a cheaper level
                that may yet be good is tried instead now and then
    quality     the trusted level most likely right; a conversation keeps its level while that is trusted
    largest     the most capable level, whatever it costs

A level is trusted at a question where the lower end of the 90% interval of its success reaches `trusted_at`.
What overrules all this, and with what reason, stands in `overrides`; which worker is at hand, in `readiness`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated

import msgspec

from nodes.dialogue import overrides, readiness, utility
from nodes.dialogue.overrides import OverrideSettings, Rule
from nodes.dialogue.readiness import READY, Readiness, ReadinessSettings
from nodes.dialogue.tuning import TuningSettings
from nodes.dialogue.utility import Handing
from nodes.trust_ledger.config import TrustConfig
from nodes.trust_ledger.features import Query
from nodes.trust_ledger.table import Arm, Expected, answering, expected
from protocol.messages.trust import TrustTable

Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
NO_TABLE = TrustTable(entries=0, rows=[])


class ChoiceSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    trusted_at: Share = 0.7
    """Lower end of the interval of success at which a level is trusted."""
    price: Share = 0.15
    """What one answer of the dearest level is worth, in probability of a right answer, until replay has tuned it."""
    poor_below: Annotated[float, msgspec.Meta(ge=0)] = 25.0
    """ATP in the account under which energy grows dearer."""
    poor_factor: Annotated[float, msgspec.Meta(ge=1)] = 4.0
    """How many times dearer it is when nothing is left."""
    explore: Share = 0.3
    """Chance of trying a level of which nothing is known instead of the best known; falls with the uncertainty. Only as
    long as nothing was replayed."""
    probe: Share = 0.02
    """Chance of trying a level that is in alarm, so that its recovery shows."""
    noticed: Share = 0.9
    """Share of wrong answers that the cascade is expected to notice."""
    alarms: Share = 0.2
    """Share of right answers that it is expected to doubt."""
    tuning: TuningSettings = TuningSettings()
    overrides: OverrideSettings = OverrideSettings()
    ready: ReadinessSettings = ReadinessSettings()

    @property
    def handing(self) -> Handing:
        return Handing(noticed=self.noticed, alarms=self.alarms)


@dataclass(frozen=True)
class Candidate:
    """A level that could answer."""

    name: str
    cost: float
    """Of an exchange, against the other levels, as long as none was measured; positive."""
    accept_at: float = 0.0
    """Confidence at which its answer stands: see `cascade`."""
    available: bool = True
    ready: Readiness = READY


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
    query: Query | None = None
    """What the question is like; None where nothing is known of it."""
    tuned: float | None = None
    """The price that replay found, in place of the configured one."""
    proved: bool = True
    """False: replay found no price at which a cheaper level is shown to be good enough."""
    critical: str = ""
    """Why a wrong answer would do harm; empty where nothing says so."""
    found_wrong: str = ""
    """Who found the last answer of this conversation wrong; empty: nobody."""
    remaining_s: float | None = None
    """Until the asker gives up; None where that is not known."""


@dataclass(frozen=True)
class Choice:
    level: str
    why: str
    trusted: bool
    """Whether its answer may be given out while it is still being made."""
    stands_at: Mapping[str, float] = field(default_factory=dict, hash=False)
    """Level → calibrated confidence at which its answer stands; where it is not named, as it is configured."""
    passed_over: frozenset[str] = frozenset()
    """Levels in alarm: nothing is handed on to them either, as long as there is another."""
    overruled_by: Rule | None = None
    """What overruled trust and price; None: they decided."""


@dataclass(frozen=True)
class Option:
    """A level as it stands in a situation."""

    name: str
    rank: int
    belief: Expected
    cost: float
    """As a share of the dearest level's."""
    trusted: bool
    ready: Readiness = READY

    @property
    def doubt(self) -> float:
        return self.belief.high - self.belief.low

    def told(self, context: str) -> str:
        if not self.belief.evidence:
            return f"nothing shown in {context} yet, {self.belief.mean:.2f} expected"
        return (
            f"right {self.belief.low:.2f} to {self.belief.high:.2f}, "
            f"after {self.belief.evidence:.1f} outcomes in {context}"
        )


def choose(levels: Sequence[Candidate], situation: Situation, settings: ChoiceSettings) -> Choice:
    """The level that should answer. `levels` from least to most capable; ValueError if there is none at all.

    Where every level is said to be unavailable, that is not believed: trying is the only way to know.
    """
    if not levels:
        raise ValueError("there is no level to choose from")
    if situation.asked_for:
        return Choice(situation.asked_for, "asked for", trusted=True, overruled_by=Rule.USER)
    present = [level for level in levels if level.available] or list(levels)
    gone = [level.name for level in levels if level not in present]
    given = options(present, situation, settings)
    choice = _in_time(given, _wanted(given, situation, settings), situation)
    relied = _relied(given)
    passed_over = frozenset(option.name for option in given if option not in relied)
    choice = replace(choice, stands_at=_stands_at(relied, situation, settings), passed_over=passed_over)
    if not gone:
        return choice
    return replace(choice, why=f"{choice.why}; {', '.join(gone)} not available")


def options(levels: Sequence[Candidate], situation: Situation, settings: ChoiceSettings) -> list[Option]:
    """What is believed of each level here, and its cost, from least to most capable."""
    beliefs = [believe(level.name, situation) for level in levels]
    costs = relative_costs(levels, situation.table)
    return [
        Option(level.name, rank, belief, cost, belief.low >= settings.trusted_at and not belief.alarm, level.ready)
        for rank, (level, belief, cost) in enumerate(zip(levels, beliefs, costs, strict=True))
    ]


def believe(level: str, situation: Situation) -> Expected:
    """What is expected of the version that answers now; while that is unknown, of the one that has shown most here."""
    version = situation.versions.get(level)
    if version is None:
        rows = [row for row in situation.table.rows if (row.level, row.context) == (level, situation.context)]
        version = max(rows, key=lambda row: row.evidence).version if rows else ""
    version = answering(situation.table, level, version)
    return expected(situation.table, Arm(level, version, situation.context), situation.query, situation.trust)


def relative_costs(levels: Sequence[Candidate], table: TrustTable) -> list[float]:
    """Cost of each level as a share of the dearest's: measured where it was, else the configured one to scale."""
    measured = {level.name: _measured_cost(level.name, table) for level in levels}
    scales = [cost / level.cost for level in levels if (cost := measured[level.name])]
    scale = sum(scales) / len(scales) if scales else 1.0
    costs = [measured[level.name] or level.cost * scale for level in levels]
    return [cost / max(costs) for cost in costs]


def price(situation: Situation, settings: ChoiceSettings) -> float:
    """What an answer of the dearest level is worth now: more, in a straight line, as the account falls low."""
    usual = settings.price if situation.tuned is None else situation.tuned
    if situation.atp is None or not settings.poor_below:
        return usual
    poverty = 1 - min(1.0, max(0.0, situation.atp / settings.poor_below))
    # Where nothing is worth saving by itself, a poor account still has to last: it then goes by the configured price.
    return usual + poverty * (settings.poor_factor * max(usual, settings.price) - usual)


def _poor(situation: Situation, settings: ChoiceSettings) -> bool:
    """Whether the account has to be spared: small levels answer then that nobody has proved to be good enough."""
    return situation.atp is not None and situation.atp < settings.poor_below


def cascade_worth(given: Sequence[Option], settings: ChoiceSettings) -> list[tuple[float, float]]:
    """For a cascade that begins at each option: probability of a right answer, and cost."""
    chances, costs = [option.belief.mean for option in given], [option.cost for option in given]
    return utility.cascade_worth(chances, costs, settings.handing)


def utilities(given: Sequence[Option], situation: Situation, settings: ChoiceSettings) -> list[float]:
    """Of beginning with each option: p - price x cost."""
    now = price(situation, settings)
    return [right - now * cost for right, cost in cascade_worth(given, settings)]


def _stands_at(given: Sequence[Option], situation: Situation, settings: ChoiceSettings) -> dict[str, float]:
    """Under what goes by quality, energy is no reason to be content with an answer."""
    free = replace(situation, tuned=0.0, atp=None) if situation.policy != "cheapest" else situation
    worth = utilities(given, free, settings)
    return dict(zip((option.name for option in given), utility.contents(worth), strict=True))


def _relied(given: Sequence[Option]) -> list[Option]:
    """Without those in alarm, unless all are."""
    return [option for option in given if not option.belief.alarm] or list(given)


def _wanted(given: Sequence[Option], situation: Situation, settings: ChoiceSettings) -> Choice:
    """Who should answer, if they all were at hand."""
    relied = _relied(given)
    passed = overrides.alarms([(option.name, option.belief.alarm) for option in given if option not in relied])
    unproved = not situation.proved and not _poor(situation, settings)
    overruled = overrides.overruled(situation.policy, situation.critical, situation.found_wrong, not unproved)
    if overruled is None:
        choice = _of(relied, given, situation, settings)
    else:
        choice = Choice(relied[-1].name, overruled.why, True, overruled_by=overruled.rule)
    if not passed:
        return choice
    return replace(choice, why=f"{choice.why}; {passed}", overruled_by=choice.overruled_by or Rule.ALARM)


def _of(relied: Sequence[Option], given: Sequence[Option], situation: Situation, settings: ChoiceSettings) -> Choice:
    if situation.policy == "quality":
        best = _best(relied, situation)
    else:
        best = _of_highest_utility(relied, given, situation, settings)
    chosen = next(option for option in given if option.name == best.level)
    untried = overrides.untried(situation.context, chosen.belief.evidence, settings.overrides)
    if untried and chosen is not relied[-1]:
        why = f"the most capable answers, for {chosen.name} has {untried}"
        return Choice(relied[-1].name, why, relied[-1].trusted, overruled_by=Rule.NOVEL)
    return best


def _best(relied: Sequence[Option], situation: Situation) -> Choice:
    trusted = [option for option in relied if option.trusted]
    kept = next((option for option in trusted if option.name == situation.session_level), None)
    if kept is not None:
        return Choice(kept.name, f"the conversation keeps its level; {kept.told(situation.context)}", trusted=True)
    best = max(trusted or relied, key=lambda option: (option.belief.mean, option.rank))
    return Choice(best.name, f"most likely right; {best.told(situation.context)}", best.trusted)


def _of_highest_utility(
    relied: Sequence[Option], given: Sequence[Option], situation: Situation, settings: ChoiceSettings
) -> Choice:
    worth = utilities(relied, situation, settings)
    at, kept = readiness.preferred(worth, [option.ready for option in relied], settings.ready)
    best = relied[at]
    tried = _tried(best, relied, given, situation, settings)
    if tried is not None:
        return tried
    why = f"the best for its price; {best.told(situation.context)}"
    return Choice(best.name, f"{why}; {kept}" if kept else why, best.trusted)


def _tried(
    best: Option, relied: Sequence[Option], given: Sequence[Option], situation: Situation, settings: ChoiceSettings
) -> Choice | None:
    """By chance another level, to learn from it: one that may yet deserve trust, or one that may have recovered."""
    alarmed = [option for option in given if option not in relied]
    if alarmed and situation.draw < settings.probe:
        probed = alarmed[int(situation.draw / settings.probe * len(alarmed))]
        return Choice(probed.name, f"tried instead of {best.name}, to see whether it has recovered", trusted=False)
    if situation.tuned is not None or not situation.proved:
        return None  # replay tries them all, and nobody has to live with the answers
    may_yet = [
        option
        for option in relied
        if option.cost < best.cost and not option.trusted and option.belief.high >= settings.trusted_at
    ]
    one = max(may_yet, key=lambda option: option.doubt, default=None)
    if one is None or situation.draw >= settings.explore * one.doubt:
        return None
    why = f"tried instead of {best.name}, to learn whether it can; {one.told(situation.context)}"
    return Choice(one.name, why, trusted=False)


def _in_time(given: Sequence[Option], choice: Choice, situation: Situation) -> Choice:
    """The chosen level, or the largest one at hand where that could not be loaded before the asker gives up."""
    chosen = next(option for option in given if option.name == choice.level)
    if not readiness.too_late(chosen.ready, situation.remaining_s):
        return choice
    warm = [option for option in given if option.ready.loaded]
    if not warm:
        return choice
    stand_in = warm[-1]
    why = (
        f"{chosen.name} cannot be loaded in time ({chosen.ready.load_s:.1f} s), {stand_in.name} is the largest at hand"
    )
    return Choice(stand_in.name, f"{choice.why}; {why}", stand_in.trusted)


def _measured_cost(level: str, table: TrustTable) -> float:
    """Mean ATP of an exchange over all contexts and versions, weighted by evidence; 0 where none was measured."""
    measured = [
        (row.atp, row.evidence) for row in table.rows if row.level == level and row.atp > 0 and row.evidence > 0
    ]
    weight = sum(evidence for _, evidence in measured)
    return sum(atp * evidence for atp, evidence in measured) / weight if weight else 0.0
