"""The trust table: what is believed of each level's version, folded from outcomes. Pure.

What is learned is one logistic model for each version (`logistic`), which guesses for a single question. What is shown
for a context is the mean of its guesses over the kinds of question met there, as a Beta of the same mean and variance.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from statistics import NormalDist

import msgspec

from nodes.trust_ledger import drift, logistic
from nodes.trust_ledger.config import TrustConfig
from nodes.trust_ledger.drift import Drift
from nodes.trust_ledger.features import FAMILIES, Features, Query, features
from nodes.trust_ledger.logistic import Guess, Kept, Weight
from nodes.trust_ledger.posterior import Beta, matched
from protocol.messages.context import Context
from protocol.messages.trust import Outcome, TrustModel, TrustRow, TrustTable

CONTEXTS = tuple(context.value for context in Context)
FORGOTTEN = 0.01
"""Evidence of less than so many outcomes is dropped: versions come and go, the table stays small."""
KINDS = 48
"""Kinds of question that are remembered of a context; the one met least makes room."""
UNMET: Features = tuple("level" if name == "level" else f"{name}=new" for name in FAMILIES)
"""A question that is new in every respect."""
VALIDATION = "validation"
"""Source of what new weights showed before they were promoted."""


class Version(msgspec.Struct, frozen=True):
    """What is judged: the weights that a level answers with."""

    level: str
    version: str


class Arm(msgspec.Struct, frozen=True):
    """A version in a context."""

    level: str
    version: str
    context: str


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    """What a version did in a context and what it cost, as it stood at `at_s`; all of it discounted."""

    evidence: float = 0.0
    exchanges: float = 0.0
    """Whose cost is known."""
    atp: float = 0.0
    """Their cost together."""
    kinds: dict[Features, float] = {}
    """Kind of question → how often."""
    at_s: float = 0.0


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that is kept of a version."""

    weights: dict[str, Weight] = {}
    contexts: dict[str, Shown] = {}
    drift: Drift = Drift()
    adapter: str = ""
    """Digest of the learned weights; empty: the model's own."""


Arms = dict[Version, Standing]


class Expected(msgspec.Struct, frozen=True, kw_only=True):
    """What is expected of a level at one question."""

    mean: float
    low: float
    high: float
    evidence: float
    """Discounted outcomes in this context."""
    alarm: str = ""
    """Why the level is not to be relied on; empty where it is."""


def fold(arms: Arms, outcome: Outcome, wall_s: float, config: TrustConfig) -> Arms:
    """`arms` with one more outcome, which happened at `wall_s`."""
    version = Version(outcome.level, outcome.version)
    standing = _standing(arms, outcome, wall_s, config)
    named = features(query_of(outcome))
    worth = config.weights.of(outcome.source, outcome.count)
    kept = logistic.fading(wall_s, config.half_life)
    level = _level(outcome.level, config)
    watched = standing.drift
    if outcome.source != VALIDATION:
        basis = watched.before if watched.alarmed else standing.weights
        expected = logistic.guess(basis, named, level, config.prior.spreads, kept)
        watched = drift.watched(watched, expected, outcome.score, worth, config.drift)
    weights = logistic.learned(
        standing.weights,
        named,
        outcome.score,
        worth,
        level=level,
        spreads=config.prior.spreads,
        kept=kept,
        gamma=config.gamma,
        at_s=wall_s,
    )
    weights, watched = _ruled(weights, watched, config)
    shown = _shown(standing.contexts.get(outcome.context, Shown()), outcome, named, worth, wall_s, config)
    contexts = {**standing.contexts, outcome.context: shown}
    return {**arms, version: Standing(weights=weights, contexts=contexts, drift=watched, adapter=outcome.adapter)}


def seed(level: str, adapter: str) -> Version:
    """Where what learned weights showed in their validation is kept, until they have answered and so have a version."""
    return Version(level, f"adapter {adapter}")


def answering(known: TrustTable, level: str, version: str) -> str:
    """`version`; where that is a `seed`, the version by which its weights have answered, once they have."""
    for model in known.models:
        if model.level == level and model.adapter and version == seed(level, model.adapter).version != model.version:
            return model.version
    return version


def query_of(outcome: Outcome) -> Query:
    return Query(
        context=outcome.context,
        cluster=outcome.cluster,
        words=outcome.words,
        depth=outcome.depth,
        session=outcome.session,
    )


def table(arms: Arms, entries: int, wall_s: float, config: TrustConfig) -> TrustTable:
    """What is believed at `wall_s`, for every version that has shown anything, in every context."""
    standing = sorted(
        ((version, standing) for version, standing in arms.items() if _weighs(standing, wall_s, config)),
        key=lambda item: (item[0].level, item[0].version),
    )
    contexts = sorted({*CONTEXTS, *(context for known in arms.values() for context in known.contexts)})
    rows = [_row(version, known, context, wall_s, config) for version, known in standing for context in contexts]
    return TrustTable(entries=entries, rows=rows, models=published(dict(standing), wall_s, config))


def published(arms: Arms, wall_s: float, config: TrustConfig) -> list[TrustModel]:
    """The model of every version as it is at `wall_s`."""
    return [_model(version, known, wall_s, config) for version, known in arms.items()]


def prune(arms: Arms, wall_s: float, config: TrustConfig) -> Arms:
    """`arms` without versions whose evidence has faded away. It changes nothing that `fold` would make of them."""
    return {version: standing for version, standing in arms.items() if _weighs(standing, wall_s, config)}


def belief(known: TrustTable, arm: Arm, config: TrustConfig) -> TrustRow:
    """The row of `arm`; where the table has none, what is believed of its level before it has shown anything."""
    for row in known.rows:
        if (row.level, row.version, row.context) == (arm.level, arm.version, arm.context):
            return row
    return _row(Version(arm.level, arm.version), Standing(), arm.context, 0.0, config)


def expected(known: TrustTable, arm: Arm, query: Query | None, config: TrustConfig) -> Expected:
    """What `arm`'s version is expected to do at one question; None: at one of which nothing is known.

    A table without its model knows its context only.
    """
    row = next((row for row in known.rows if (row.level, row.version, row.context) == _key(arm)), None)
    model = next((each for each in known.models if (each.level, each.version) == (arm.level, arm.version)), None)
    if model is None and row is not None:
        return Expected(mean=row.mean, low=row.low, high=row.high, evidence=row.evidence, alarm=row.alarm)
    guess = _guessed(model.weights if model else {}, features(query) if query else UNMET, arm.level, config)
    low, high = guess.between(_z(config.interval))
    return Expected(
        mean=guess.chance(),
        low=low,
        high=high,
        evidence=row.evidence if row else 0.0,
        alarm=model.alarm if model else "",
    )


def prior_of(level: str, config: TrustConfig) -> Beta:
    """Belief in a level before any evidence."""
    return matched(*logistic.moments(_guessed({}, UNMET, level, config)))


def _key(arm: Arm) -> tuple[str, str, str]:
    return arm.level, arm.version, arm.context


def _guessed(weights: Mapping[str, tuple[float, float]], named: Features, level: str, config: TrustConfig) -> Guess:
    """As `logistic.guess`, of weights as they are published: mean and variance of each that is not as the prior."""
    prior = _level(level, config)
    mean = variance = 0.0
    for name in named:
        known = weights.get(name)
        if known is None:
            known = logistic.prior_mean(name, prior), config.prior.spreads[logistic.family(name)] ** 2
        mean += known[0]
        variance += known[1]
    return Guess(mean, variance)


def _level(level: str, config: TrustConfig) -> float:
    """Prior mean of the feature common to all questions: a question new in every respect succeeds as expected."""
    return logistic.level_mean(config.prior.of(level), sum(spread**2 for spread in config.prior.spreads.values()))


@lru_cache(maxsize=8)
def _z(mass: float) -> float:
    return NormalDist().inv_cdf((1 + mass) / 2)


def _ruled(weights: dict[str, Weight], watched: Drift, config: TrustConfig) -> tuple[dict[str, Weight], Drift]:
    """What an alarm that begins or ends makes of what is believed."""
    if drift.alarming(watched, config.drift):
        aside = Drift(before=weights, alarms=watched.alarms + 1)
        return drift.faded(weights, config.drift.forget), aside
    if drift.recovered(watched, config.drift):
        return drift.faded(watched.before, config.drift.regained), Drift(alarms=watched.alarms)
    return weights, watched


def _standing(arms: Arms, outcome: Outcome, wall_s: float, config: TrustConfig) -> Standing:
    """What is known of the outcome's version; of learned weights that answer for the first time, their validation."""
    known = arms.get(Version(outcome.level, outcome.version))
    if known is None and outcome.adapter:
        known = arms.get(seed(outcome.level, outcome.adapter))
    return known if known is not None and _weighs(known, wall_s, config) else Standing()


def _shown(known: Shown, outcome: Outcome, named: Features, worth: float, wall_s: float, config: TrustConfig) -> Shown:
    kept = logistic.fading(wall_s, config.half_life)(known.at_s) * config.gamma
    costed = outcome.atp > 0
    kind = (*named[:-1], UNMET[-1])
    kinds = {each: often * kept for each, often in known.kinds.items()}
    kinds[kind] = kinds.get(kind, 0.0) + outcome.count
    if len(kinds) > KINDS:
        del kinds[min((each for each in kinds if each != kind), key=lambda each: kinds[each])]
    return Shown(
        evidence=known.evidence * kept + worth,
        exchanges=known.exchanges * kept + costed,
        atp=known.atp * kept + outcome.atp * costed,
        kinds=kinds,
        at_s=max(wall_s, known.at_s),
    )


def _weighs(standing: Standing, wall_s: float, config: TrustConfig) -> bool:
    kept = logistic.fading(wall_s, config.half_life)
    return sum(shown.evidence * kept(shown.at_s) for shown in standing.contexts.values()) >= FORGOTTEN


def _row(version: Version, known: Standing, context: str, wall_s: float, config: TrustConfig) -> TrustRow:
    kept = logistic.fading(wall_s, config.half_life)
    own = known.contexts.get(context, Shown())
    after = _shown_belief(version, known, context, kept, config)
    low, high = after.interval(config.interval)
    return TrustRow(
        level=version.level,
        version=version.version,
        context=context,
        mean=after.mean,
        low=low,
        high=high,
        evidence=own.evidence * kept(own.at_s),
        alpha=after.alpha,
        beta=after.beta,
        atp=own.atp / own.exchanges if own.exchanges > 0 else 0.0,
        alarm=_told(known.drift),
    )


def _shown_belief(version: Version, known: Standing, context: str, kept: Kept, config: TrustConfig) -> Beta:
    """Belief in the rate of success over the kinds of question met in `context`; elsewhere, where none was met there.

    The variance is that of the delta method, in which kinds that share a weight err together, scaled by what the method
    misses of a single question's.
    """
    kinds = dict(_kinds(known, context)) or {UNMET: 1.0}
    total = sum(kinds.values())
    level, spreads = _level(version.level, config), config.prior.spreads
    slopes: dict[str, float] = {}
    mean = exact = linear = 0.0
    for kind, often in kinds.items():
        guess = logistic.guess(known.weights, kind, level, spreads, kept)
        chance, variance = logistic.moments(guess)
        slope = chance * (1 - chance) - variance
        share = often / total
        mean += share * chance
        exact += share * variance
        linear += share * slope**2 * guess.variance
        for name in kind:
            slopes[name] = slopes.get(name, 0.0) + share * slope
    common = sum(
        slope**2 / logistic.precision(name, known.weights.get(name), spreads, kept) for name, slope in slopes.items()
    )
    return matched(mean, common * exact / linear if linear > 0 else exact)


def _kinds(known: Standing, context: str) -> Iterator[tuple[Features, float]]:
    own = known.contexts.get(context)
    if own is not None:
        yield from own.kinds.items()
        return
    for shown in known.contexts.values():
        for kind, often in shown.kinds.items():
            yield (kind[0], f"context={context}", *kind[2:]), often


def _model(version: Version, known: Standing, wall_s: float, config: TrustConfig) -> TrustModel:
    kept = logistic.fading(wall_s, config.half_life)
    return TrustModel(
        level=version.level,
        version=version.version,
        weights={
            name: (weight.mean, 1 / logistic.precision(name, weight, config.prior.spreads, kept))
            for name, weight in known.weights.items()
        },
        alarm=_told(known.drift),
        adapter=known.adapter,
    )


def _told(watched: Drift) -> str:
    if not watched.alarmed:
        return ""
    return f"it answers worse than it did, by the last outcomes; {watched.outcomes} since it was noticed"
