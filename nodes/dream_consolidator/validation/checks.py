"""What new weights must show, one by one. Pure: trials in, a finding in words and figures out.

Two kinds of burden. What was not taught must be *shown* to have kept its answers, to a margin, by a bound: too small a
sample shows nothing and refuses. A single skill is too small for that; it refuses where its loss is more than the
margin and beyond chance, so that no average hides one that was lost.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence

from nodes.dream_consolidator.settings import Judge
from nodes.dream_consolidator.validation import paired
from nodes.dream_consolidator.validation.trial import Manner, Trial
from protocol.messages.dream import DreamCheck

Right = Callable[[Trial], bool]
Pairs = tuple[int, int, int]
"""Gained, lost, and questions in all."""

FEW_CLUSTERS = 8
"""With fewer templates an interval that draws them anew is too narrow (Cameron, Gelbach and Miller 2008): it is told,
and decides nothing."""


def better(target: Sequence[Trial], alpha: float) -> DreamCheck:
    """What was taught got better beyond chance."""
    gained, lost, _ = changes(target, _before)
    p_value = paired.mcnemar(gained, lost)
    return DreamCheck(
        name="better on what was taught",
        required=f"exact McNemar, one-sided, p < {alpha:.2g}",
        found=f"{rates(target, _before)} of {len(target)}, {gained} gained, {lost} lost, p = {p_value:.3g}",
        passed=p_value < alpha,
    )


def gain(target: Sequence[Trial]) -> tuple[float, float, float, int]:
    """Share gained, its 95% interval with templates drawn anew, and how many of them there are."""
    nets: dict[str, list[int]] = defaultdict(list)
    for number, trial in enumerate(target):
        nets[trial.cluster or f"#{number}"].append(trial.after - trial.before)
    low, high = paired.cluster_bounds([(sum(each), len(each)) for each in nets.values()])
    return sum(map(sum, nets.values())) / len(target), low, high, len(nets)


def broadly_better(target: Sequence[Trial]) -> DreamCheck:
    """The gain is not that of one or two templates."""
    mean, low, high, clusters = gain(target)
    decides = clusters >= FEW_CLUSTERS
    return DreamCheck(
        name="better across templates",
        required="gain above 0, 95% by bootstrap of templates" + ("" if decides else "; too few to decide by"),
        found=f"{mean:+.1%} ({low:+.1%} to {high:+.1%}) over {clusters} templates",
        passed=low > 0 or not decides,
    )


def kept(untaught: Sequence[Trial], settings: Judge, against: str, earlier: Right) -> DreamCheck:
    """What was not taught lost no more than the margin, all of it taken together and unweighted."""
    gained, lost, questions = changes(untaught, earlier)
    bound = paired.most_lost(gained, lost, questions, settings.sure)
    fewest = paired.fewest(settings.margin, settings.sure)
    small = f"; too few: at least {fewest} are needed to show it" if questions < fewest else ""
    found = f"{rates(untaught, earlier)} of {questions}, " if questions else ""
    return DreamCheck(
        name=f"nothing else lost, against {against}",
        required=f"loss at most {settings.margin:.1%}, {settings.sure:.0%} sure",
        found=f"{found}{gained} gained, {lost} lost: at most {bound:.1%} lost{small}",
        passed=bound <= settings.margin + 1e-9,
    )


def floor(strata: Mapping[str, Sequence[Trial]], settings: Judge, against: str, earlier: Right) -> DreamCheck:
    """No single skill lost more than the margin beyond chance, nor did the small ones taken together."""
    small = [trial for members in strata.values() if settings.margin * len(members) < 1 for trial in members]
    groups = [*sorted(strata.items()), ("the small ones together", small)]
    worse = [
        f"{name} {rates(members, earlier)} of {len(members)}"
        for name, members in groups
        if got_worse(changes(members, earlier), settings)
    ]
    return DreamCheck(
        name=f"no skill lost, against {against}",
        required=f"none loses more than {settings.margin:.1%} beyond chance (p < {1 - settings.sure:.2g})",
        found="; ".join(worse) or f"none of {len(strata)}",
        passed=not worse,
    )


def got_worse(pairs: Pairs, settings: Judge) -> bool:
    """Whether more than the margin was lost, and more than chance explains."""
    gained, lost, questions = pairs
    return lost - gained > settings.margin * questions + 1e-9 and paired.mcnemar(lost, gained) < 1 - settings.sure


def ends(trials: Sequence[Trial], settings: Judge) -> DreamCheck:
    """Answers neither go round in circles nor fail to end more often than before."""
    manners = _manners(trials)
    before, after = sum(each.astray for each, _ in manners), sum(each.astray for _, each in manners)
    entered = sum(after.astray and not before.astray for before, after in manners)
    left = sum(before.astray and not after.astray for before, after in manners)
    bound = paired.most_lost(left, entered, len(manners), settings.sure)
    return DreamCheck(
        name="no loops",
        required=f"at most {settings.margin:.1%} more answers astray, {settings.sure:.0%} sure",
        found=f"{before} → {after} of {len(manners)}: at most {bound:+.1%}",
        passed=bound <= settings.margin + 1e-9,
    )


def as_long(untaught: Sequence[Trial], settings: Judge) -> DreamCheck:
    """Answers to what was not taught are as long as they were: equivalence by two one-sided tests (Schuirmann 1987)."""
    ratios = [math.log(max(1, after.tokens) / max(1, before.tokens)) for before, after in _manners(untaught)]
    low, high = map(_exp, paired.mean_bounds(ratios, settings.sure)) if ratios else (0.0, math.inf)
    return DreamCheck(
        name="as long as before",
        required=f"mean ratio within {1 / settings.length:.2f} to {settings.length:.2f}, {settings.sure:.0%} sure",
        found=f"{low:.2f} to {high:.2f} over {len(ratios)}",
        passed=1 / settings.length <= low and high <= settings.length,
    )


def as_sure(trials: Sequence[Trial], settings: Judge) -> DreamCheck:
    """Confidence says truly how many answers are right, or no worse than before.

    Of each answer: the squared error of its confidence, less what that would be in the mean if it told the truth
    (Brier 1950; Spiegelhalter 1986, equation 4). So half-learned answers, of which nobody can be sure, count as
    nothing so long as they are given as half sure; and no bins are needed, whose errors small samples cannot bear.
    """
    pairs = [
        (
            beyond_truth(trial.before_manner.confidence, trial.before),
            beyond_truth(trial.after_manner.confidence, trial.after),
        )
        for trial in trials
        if trial.before_manner is not None and trial.after_manner is not None
    ]
    if not pairs:
        bound, found = math.inf, "nothing"
    else:
        afterwards = [after for _, after in pairs]
        worse = [after - before for before, after in pairs]
        bound = min(paired.mean_bounds(each, settings.sure)[1] for each in (afterwards, worse))
        before, after = (math.fsum(side) / len(pairs) for side in zip(*pairs, strict=True))
        found = f"{before:+.3f} → {after:+.3f} over {len(pairs)}: at most {bound:+.3f}"
    return DreamCheck(
        name="confidence worth as much",
        required=f"squared error beyond its own at most {settings.calibration:+.3f}, {settings.sure:.0%} sure",
        found=found,
        passed=bound <= settings.calibration,
    )


def beyond_truth(confidence: float, right: bool) -> float:
    """(confidence − right)² − confidence · (1 − confidence): 0 in the mean where confidence tells the truth."""
    return (right - confidence) * (1 - 2 * confidence)


def changes(trials: Iterable[Trial], earlier: Right) -> Pairs:
    """Against how the same questions were answered `earlier`."""
    pairs = [(earlier(trial), trial.after) for trial in trials]
    return pairs.count((False, True)), pairs.count((True, False)), len(pairs)


def rates(trials: Sequence[Trial], earlier: Right) -> str:
    count = len(trials)
    return f"{sum(map(earlier, trials)) / count:.1%} → {sum(trial.after for trial in trials) / count:.1%}"


def _before(trial: Trial) -> bool:
    return trial.before


def _manners(trials: Iterable[Trial]) -> list[tuple[Manner, Manner]]:
    return [
        (trial.before_manner, trial.after_manner)
        for trial in trials
        if trial.before_manner is not None and trial.after_manner is not None
    ]


def _exp(value: float) -> float:
    return math.inf if value > 700 else math.exp(value)
