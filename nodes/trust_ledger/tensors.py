"""T3 and V3 of a subject in one role and one context, and how a deed moves them (Web4). Pure: time is an argument.

There is no tensor that holds everywhere: what somebody showed as `sensory` in `stable` says nothing of them as
`tactical`, or in `novel`. Names of earlier notes: `T3_reliability` is temperament, `V3_verification` is veracity.

T3 moves by what kind of deed it was. A verdict, score 0 or 1, moves it by a fixed step (`Steps`); a grade in between by
δ = rate · (score − ½), times 1, .8 and .6 for talent, training and temperament. Each step is multiplied by the weight
of who judged. Gains are besides multiplied by the repetition discount max(.8^(n−1), .1): n counts deeds of the same
kind, which is the same subject, role, context and cluster of questions (the session, where nobody clustered them),
since the first of them, and begins at 1 again after a window of 24 hours. Losses are not discounted: to fail again and
again costs as much each time. Training fades, temperament comes back to where it began, talent stays.

V3 is a moving mean over deeds: the n-th counts 1/(n+1), never less than 1/50, times the weight of who judged.
"""

from __future__ import annotations

from typing import Annotated

import msgspec

from protocol.messages.action import START, T3, V3
from runtime.units import Duration

Weight = Annotated[float, msgspec.Meta(ge=0, le=1)]
DAY_S = 86_400.0
MONTH_S = 30 * DAY_S
KINDS_KEPT = 256
"""Kinds of deed of which a standing counts repetitions; past that, the one that began first is forgotten."""
RECENT = 5

GRADED, BREACH = "graded", "breach"
NOVEL, SUCCESS, EXPECTED, UNEXPECTED = "novel success", "success", "expected failure", "unexpected failure"


class Step(msgspec.Struct, frozen=True):
    """What a kind of deed adds to T3."""

    talent: float
    training: float
    temperament: float


class Steps(msgspec.Struct, frozen=True, kw_only=True):
    """By outcome, as Web4 has them."""

    novel_success: Step = Step(0.035, 0.015, 0.01)
    success: Step = Step(0.0, 0.0075, 0.005)
    expected_failure: Step = Step(-0.01, 0.0, 0.0)
    unexpected_failure: Step = Step(-0.02, -0.01, -0.02)
    breach: Step = Step(-0.05, 0.0, -0.10)

    def of(self, kind: str) -> Step:
        step: Step = getattr(self, kind.replace(" ", "_"))
        return step


class ReputationRules(msgspec.Struct, frozen=True, kw_only=True):
    """Everything by which a deed moves a standing."""

    routine: tuple[str, ...] = ("confidence",)
    """Sources of an outcome that make a routine action (R6) of it: nobody judged it, nothing is learned of anybody."""
    steps: Steps = Steps()
    graded: Weight = 0.02
    shares: Step = Step(1.0, 0.8, 0.6)
    """Of `graded`, for each dimension."""
    repetition: Weight = 0.8
    repetition_least: Weight = 0.1
    window: Duration = DAY_S
    training_fades: Weight = 0.001
    """A month of 30 days."""
    temperament_recovers: Weight = 0.01
    """A month, as far as where it began."""
    value_least: Weight = 0.02
    """Least share of one deed in a V3."""


class Deed(msgspec.Struct, frozen=True, kw_only=True):
    """What one action shows of its subject."""

    kind: str
    score: float
    confidence: float
    delivered: bool
    worth: float
    """What it was expected to cost over what it cost, 0..1."""
    weight: float
    """Of who judged it, 0..1."""
    same: str
    """What makes another deed a repetition of this one."""


class Repeated(msgspec.Struct, frozen=True, array_like=True):
    count: int
    since_ns: int


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """What is held of a subject in a role and a context, as it stood at `at_ns`."""

    t3: T3 = T3()
    v3: V3 = V3()
    actions: int = 0
    at_ns: int = 0
    repeated: dict[str, Repeated] = {}
    recent: tuple[int, ...] = ()
    """Numbers of the last entries that moved it, newest first."""


def moved(standing: Standing, deed: Deed, entry: int, wall_ns: int, rules: ReputationRules) -> tuple[Standing, float]:
    """`standing` after a deed that was written down as `entry` at `wall_ns`, and the repetition discount it had."""
    now = faded(standing, wall_ns, rules)
    repeated = _counted(now.repeated, deed.same, wall_ns, rules)
    gain = discount(repeated[deed.same].count, rules)
    step = _step(deed, rules)
    return Standing(
        t3=T3(
            talent=_added(now.t3.talent, step.talent * deed.weight, gain),
            training=_added(now.t3.training, step.training * deed.weight, gain),
            temperament=_added(now.t3.temperament, step.temperament * deed.weight, gain),
        ),
        v3=_value(now.v3, deed, now.actions, rules),
        actions=now.actions + 1,
        at_ns=now.at_ns,
        repeated=repeated,
        recent=(entry, *now.recent)[:RECENT],
    ), gain


def faded(standing: Standing, wall_ns: int, rules: ReputationRules) -> Standing:
    """`standing` at `wall_ns`. A clock that went back changes nothing; before the first deed nothing fades."""
    if not standing.actions:
        return msgspec.structs.replace(standing, at_ns=wall_ns)
    months = max(0, wall_ns - standing.at_ns) / 1e9 / MONTH_S
    t3 = standing.t3
    back = min(START, t3.temperament + rules.temperament_recovers * months)
    return msgspec.structs.replace(
        standing,
        t3=T3(
            talent=t3.talent,
            training=max(0.0, t3.training - rules.training_fades * months),
            temperament=max(t3.temperament, back),
        ),
        at_ns=max(wall_ns, standing.at_ns),
    )


def discount(n: int, rules: ReputationRules) -> float:
    """What the n-th deed of the same kind within the window gains, against the first."""
    return float(max(rules.repetition ** (n - 1), rules.repetition_least))


def _step(deed: Deed, rules: ReputationRules) -> Step:
    if deed.kind != GRADED:
        return rules.steps.of(deed.kind)
    delta, shares = rules.graded * (deed.score - 0.5), rules.shares
    return Step(delta * shares.talent, delta * shares.training, delta * shares.temperament)


def _added(value: float, step: float, gain: float) -> float:
    return min(1.0, max(0.0, value + (step * gain if step > 0 else step)))


def _value(v3: V3, deed: Deed, before: int, rules: ReputationRules) -> V3:
    share = max(1.0 / (before + 2), rules.value_least) * deed.weight
    honest = 0.0 if deed.kind == BREACH else deed.score
    return V3(
        valuation=_toward(v3.valuation, deed.worth * honest, share),
        veracity=_toward(v3.veracity, honest * deed.confidence, share),
        validity=_toward(v3.validity, float(deed.delivered), share),
    )


def _toward(value: float, aim: float, share: float) -> float:
    return min(1.0, max(0.0, value + share * (aim - value)))


def _counted(known: dict[str, Repeated], same: str, wall_ns: int, rules: ReputationRules) -> dict[str, Repeated]:
    """`known` with one more deed of the kind `same`; kinds whose window has passed are gone."""
    window_ns = int(rules.window * 1e9)
    open_ = {kind: one for kind, one in known.items() if wall_ns - one.since_ns < window_ns}
    before = open_.pop(same, Repeated(0, wall_ns))
    while len(open_) >= KINDS_KEPT:
        del open_[min(open_, key=lambda kind: open_[kind].since_ns)]
    return {**open_, same: Repeated(before.count + 1, before.since_ns)}
