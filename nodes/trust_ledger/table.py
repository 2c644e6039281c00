"""The trust table: what is believed of each level's version in each context, folded from outcomes. Pure."""

from __future__ import annotations

import msgspec

from nodes.trust_ledger.config import TrustConfig
from nodes.trust_ledger.posterior import Beta, Evidence, fade, fading, observe, posterior, prior
from protocol.messages.context import Context
from protocol.messages.trust import Outcome, TrustRow, TrustTable

CONTEXTS = tuple(context.value for context in Context)
FORGOTTEN = 0.01
"""Evidence of less than so many outcomes is dropped with its row: versions come and go, the table stays small."""


class Arm(msgspec.Struct, frozen=True):
    """What is judged: a version of a level, in a context."""

    level: str
    version: str
    context: str


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """What an arm has shown and what it cost, as it stood at `evidence.at_s`."""

    evidence: Evidence = Evidence()
    exchanges: float = 0.0
    """Discounted number of exchanges whose cost is known."""
    atp: float = 0.0
    """Their discounted cost."""


Arms = dict[Arm, Record]


def fold(arms: Arms, outcome: Outcome, wall_s: float, config: TrustConfig) -> Arms:
    """`arms` with one more outcome, which happened at `wall_s`."""
    arm = Arm(outcome.level, outcome.version, outcome.context)
    known = _at(arms.get(arm, Record()), wall_s, config)
    weight = config.weights.of(outcome.source)
    costed = outcome.atp > 0
    return {
        **arms,
        arm: Record(
            evidence=observe(known.evidence, outcome.score, weight, config.gamma),
            exchanges=known.exchanges * config.gamma + costed,
            atp=known.atp * config.gamma + outcome.atp * costed,
        ),
    }


def table(arms: Arms, entries: int, wall_s: float, config: TrustConfig) -> TrustTable:
    """What is believed at `wall_s`, for every version that has shown anything, in every context."""
    known = {arm: _at(record, wall_s, config) for arm, record in arms.items()}
    versions = sorted(
        {(arm.level, arm.version) for arm, record in known.items() if record.evidence.weight >= FORGOTTEN}
    )
    contexts = sorted({*CONTEXTS, *(arm.context for arm in known)})
    rows = [_row(Arm(level, version, context), known, config) for level, version in versions for context in contexts]
    return TrustTable(entries=entries, rows=rows)


def prune(arms: Arms, wall_s: float, config: TrustConfig) -> Arms:
    """`arms` without those whose evidence has faded away."""
    return {arm: record for arm, record in arms.items() if _at(record, wall_s, config).evidence.weight >= FORGOTTEN}


def belief(known: TrustTable, arm: Arm, config: TrustConfig) -> TrustRow:
    """The row of `arm`; where the table has none, what is believed of its level before it has shown anything."""
    for row in known.rows:
        if (row.level, row.version, row.context) == (arm.level, arm.version, arm.context):
            return row
    return _row(arm, {}, config)


def _row(arm: Arm, known: Arms, config: TrustConfig) -> TrustRow:
    own = known.get(arm, Record())
    after = posterior(prior_of(arm.level, config), own.evidence, _elsewhere(arm, known), config.pooling)
    low, high = after.interval(config.interval)
    return TrustRow(
        level=arm.level,
        version=arm.version,
        context=arm.context,
        mean=after.mean,
        low=low,
        high=high,
        evidence=own.evidence.weight,
        alpha=after.alpha,
        beta=after.beta,
        atp=own.atp / own.exchanges if own.exchanges > 0 else 0.0,
    )


def prior_of(level: str, config: TrustConfig) -> Beta:
    return prior(config.prior.levels.get(level, config.prior.default), config.prior.strength)


def _elsewhere(arm: Arm, known: Arms) -> Evidence:
    """What the same version has shown in other contexts."""
    others = [
        record.evidence
        for other, record in known.items()
        if (other.level, other.version) == (arm.level, arm.version) and other.context != arm.context
    ]
    return Evidence(right=sum(other.right for other in others), wrong=sum(other.wrong for other in others))


def _at(record: Record, wall_s: float, config: TrustConfig) -> Record:
    kept = fading(wall_s - record.evidence.at_s, config.half_life)
    return Record(
        evidence=fade(record.evidence, wall_s, config.half_life),
        exchanges=record.exchanges * kept,
        atp=record.atp * kept,
    )
