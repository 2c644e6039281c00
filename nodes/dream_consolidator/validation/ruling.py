"""Whether a lesson helped: answers before and after on questions that were never trained on → a ruling with reasons.

What was taught must have got better beyond chance: exact one-sided McNemar test (McNemar 1947; the binomial form) over
the target questions. And no single stratum, taught or not, may have lost more than the margin: an average hides a
skill that was lost. A stratum is the skill that a verifier recognised, else where the example came from.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

import msgspec

from nodes.dream_consolidator.settings import Judge
from protocol.messages.dream import SkillResult
from protocol.messages.model import ChatMessage
from runtime.verifiers import Verifier, judge

AGREEMENT = "agreement with the teacher"
REST = "others"
"""The strata with too few questions to be named, taken together."""


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    """One answer, judged."""

    right: bool
    judge: str
    """A verifier's name, or `AGREEMENT`."""
    skill: str = ""
    """What the verifier recognised."""


class Trial(msgspec.Struct, frozen=True, kw_only=True):
    """One question, before and after. Holds nothing that was said."""

    stratum: str
    target: bool
    """It is of a stratum that was taught."""
    before: bool
    after: bool
    judge: str


class Ruling(msgspec.Struct, frozen=True, kw_only=True):
    promoted: bool
    why: str
    results: list[SkillResult]
    p_value: float | None
    """None where nothing that was taught could be judged."""


def judge_answer(
    verifiers: Iterable[Verifier], messages: Sequence[ChatMessage], answer: str, teacher: str
) -> Judged | None:
    """By a verifier that knows the question, else by being the teacher's very answer, spacing and case aside.

    None where no verifier knows it and the teacher had no answer.
    """
    found = judge(verifiers, messages, answer)
    if found is not None:
        name, verdict = found
        return Judged(right=verdict.score >= 0.5, judge=name, skill=verdict.skill)
    if not teacher.strip():
        return None
    return Judged(right=_plain(answer) == _plain(teacher), judge=AGREEMENT)


def rule(trials: Sequence[Trial], settings: Judge) -> Ruling:
    """Whether the new weights replace the old, and why."""
    target = [trial for trial in trials if trial.target]
    strata = _strata(trials, settings.few)
    results = [_result(name, members) for name, members in sorted(strata.items())]
    if not target:
        return Ruling(promoted=False, why="no held-out question of what was taught", results=results, p_value=None)
    gained, lost = _changes(target)
    p_value = mcnemar(gained, lost)
    reasons = _objections(trials, strata, settings)
    if p_value >= settings.alpha:
        reasons.insert(0, "no improvement beyond chance on what was taught")
    what = (
        f"{len(target)} held-out questions of what was taught: {_rate(target, 'before')} → {_rate(target, 'after')} "
        f"({gained} gained, {lost} lost, p = {p_value:.3g}); judged by {_judges(trials)}"
    )
    why = f"{'; '.join(reasons)}. {what}" if reasons else f"better on what was taught, nothing lost. {what}"
    return Ruling(promoted=not reasons, why=why, results=results, p_value=p_value)


def mcnemar(gained: int, lost: int) -> float:
    """P(`gained` or more of the changed questions got better, if better and worse were equally likely); 1 for none."""
    changed = gained + lost
    return sum(math.comb(changed, count) for count in range(gained, changed + 1)) / (1 << changed)


def got_worse(trials: Sequence[Trial], settings: Judge) -> bool:
    """Whether they lost more than the margin.

    Where the margin is less than one question, the rate says too little: then, whether they got worse beyond chance.
    """
    gained, lost = _changes(trials)
    allowed = settings.margin * len(trials)
    if allowed >= 1:
        return lost - gained > allowed + 1e-9
    return mcnemar(lost, gained) < settings.alpha


def _objections(trials: Sequence[Trial], strata: dict[str, list[Trial]], settings: Judge) -> list[str]:
    """Every stratum that got worse; and the small ones, and those that were not taught, taken together.

    So neither a skill that is lost is hidden by an average, nor one loss in each of many overlooked.
    """
    small = [trial for members in strata.values() if settings.margin * len(members) < 1 for trial in members]
    untaught = [trial for trial in trials if not trial.target]
    groups = [*sorted(strata.items()), ("the small strata together", small), ("all that was not taught", untaught)]
    return [
        f"{name} got worse, {_rate(members, 'before')} → {_rate(members, 'after')} of {len(members)}"
        for name, members in groups
        if got_worse(members, settings)
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
    before, after = sum(trial.before for trial in trials), sum(trial.after for trial in trials)
    return SkillResult(name=name, questions=count, before=before / count, after=after / count)


def _changes(trials: Iterable[Trial]) -> tuple[int, int]:
    changes = Counter((trial.before, trial.after) for trial in trials)
    return changes[False, True], changes[True, False]


def _rate(trials: Sequence[Trial], when: str) -> str:
    return f"{sum(getattr(trial, when) for trial in trials) / len(trials):.1%}"


def _judges(trials: Iterable[Trial]) -> str:
    return ", ".join(f"{name} ({count})" for name, count in sorted(Counter(trial.judge for trial in trials).items()))


def _plain(text: str) -> str:
    return " ".join(text.split()).casefold()
