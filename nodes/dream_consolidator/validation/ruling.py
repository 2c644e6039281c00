"""Whether a lesson helped: answers before and after on questions that were never trained on → a ruling with reasons.

What was taught must have got better beyond chance, at the level that this dream may spend. What was not must be shown
to have lost no more than the margin, against what was in force and against the level's own model; no single skill may
be lost, taught or not; and answers must end, be as long as they were, and be as sure. All questions count the same. A
stratum is the skill that a verifier recognised, else where the example came from.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

import msgspec

from nodes.dream_consolidator.settings import Judge
from nodes.dream_consolidator.validation import checks, paired, spending
from nodes.dream_consolidator.validation.trial import Trial
from protocol.messages.dream import DreamCheck, SkillResult

REST = "others"
"""The strata with too few questions to be named, taken together."""
IN_FORCE, BASE = "what was in force", "the model it was learned from"


class Ruling(msgspec.Struct, frozen=True, kw_only=True):
    promoted: bool
    why: str
    results: list[SkillResult]
    p_value: float | None
    """None where nothing that was taught could be judged."""
    alpha: float | None = None
    """What it had to stay below."""
    gain: float | None = None
    gain_low: float | None = None
    gain_high: float | None = None
    checks: list[DreamCheck] = []


def rule(trials: Sequence[Trial], settings: Judge, promoted: Sequence[bool] = ()) -> Ruling:
    """Whether the new weights replace the old, and why.

    `promoted`: what became of the level's earlier dreams that were put to this test, oldest first.
    """
    target = [trial for trial in trials if trial.target]
    strata = _strata(trials, settings.few)
    results = [_result(name, members) for name, members in sorted(strata.items())]
    if not target:
        return Ruling(promoted=False, why="no held-out question of what was taught", results=results, p_value=None)
    alpha = spending.level(settings.alpha, promoted)
    made = _checks(trials, target, strata, settings, alpha)
    failed = [check for check in made if not check.passed]
    gained, lost, _ = checks.changes(target, _before)
    mean, low, high, _ = checks.gain(target)
    p_value = paired.mcnemar(gained, lost)
    what = (
        f"{len(target)} held-out questions of what was taught: {checks.rates(target, _before)} "
        f"({gained} gained, {lost} lost, p = {p_value:.3g}); judged by {_judges(trials)}"
    )
    reasons = "; ".join(f"not shown: {check.name} ({check.found})" for check in failed)
    why = f"{reasons}. {what}" if failed else f"better on what was taught, nothing lost. {what}"
    return Ruling(
        promoted=not failed,
        why=why,
        results=results,
        p_value=p_value,
        alpha=alpha,
        gain=mean,
        gain_low=low,
        gain_high=high,
        checks=made,
    )


def _checks(
    trials: Sequence[Trial],
    target: Sequence[Trial],
    strata: dict[str, list[Trial]],
    settings: Judge,
    alpha: float,
) -> list[DreamCheck]:
    untaught = [trial for trial in trials if not trial.target]
    made = [
        checks.better(target, alpha),
        checks.broadly_better(target),
        checks.kept(untaught, settings, IN_FORCE, _before),
        checks.floor(strata, settings, IN_FORCE, _before),
    ]
    if any(trial.base is not None for trial in trials):
        made += [
            checks.kept(untaught, settings, BASE, _base),
            checks.floor(strata, settings, BASE, _base),
        ]
    return [
        *made,
        checks.ends(trials, settings),
        checks.as_long(untaught, settings),
        checks.as_sure(trials, settings),
    ]


def _strata(trials: Iterable[Trial], few: int) -> dict[str, list[Trial]]:
    strata: dict[str, list[Trial]] = defaultdict(list)
    for trial in trials:
        strata[trial.stratum].append(trial)
    small = [name for name, members in strata.items() if len(members) < few]
    if len(small) > 1:
        strata[REST] = [trial for name in small for trial in strata.pop(name)]
    return dict(strata)


def _result(name: str, trials: Sequence[Trial]) -> SkillResult:
    count = len(trials)
    compared = all(trial.base is not None for trial in trials)
    return SkillResult(
        name=name,
        questions=count,
        before=sum(trial.before for trial in trials) / count,
        after=sum(trial.after for trial in trials) / count,
        base=sum(map(_base, trials)) / count if compared else None,
    )


def _before(trial: Trial) -> bool:
    return trial.before


def _base(trial: Trial) -> bool:
    """How the level's own model answered, which is what was in force where it was not asked apart."""
    return trial.before if trial.base is None else trial.base


def _judges(trials: Iterable[Trial]) -> str:
    return ", ".join(f"{name} ({count})" for name, count in sorted(Counter(trial.judge for trial in trials).items()))
