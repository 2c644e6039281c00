"""`measure`: the whole ruling on recorded trainings, their held-out questions drawn anew many times."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from random import Random
from typing import Any

import msgspec

from experiments.gate.kinds import KINDS, Kind, skills_of
from experiments.gate.record import Recorded, recorded
from nodes.dream_consolidator import settings as configuration
from nodes.dream_consolidator.settings import Judge
from nodes.dream_consolidator.validation import checks, paired, spending
from nodes.dream_consolidator.validation.ruling import Ruling, rule
from nodes.dream_consolidator.validation.trial import Trial
from runtime.bench.record import Goal, at_least, at_most
from runtime.bench.session import Outcome, Session

TRAININGS, QUICK_TRAININGS = 5, 1
DRAWS, QUICK_DRAWS = 200, 20
LIVES, DREAMS = 2000, 30
"""Courses of dreams in which nothing ever improves, and how many dreams each has."""
ACCEPTED = 0.9
REAL, CONTROL = "real improvement", "no change"


class Met(msgspec.Struct, frozen=True, kw_only=True):
    """What the ruling made of one training."""

    kind: str
    seed: int
    ruling: Ruling
    promoted: int
    """Of the draws."""
    draws: int
    failed: dict[str, int]
    """Check → draws in which it failed."""


def measure(session: Session) -> Outcome:
    count = QUICK_TRAININGS if session.quick else TRAININGS
    draws = QUICK_DRAWS if session.quick else DRAWS
    judge = configuration.load().judge
    progress = session.progress(len(KINDS) * count * 2)
    trainings: list[Recorded] = []
    for seed in range(session.seed, session.seed + count):
        for kind in KINDS.values():
            trainings.append(recorded(kind, seed, lambda *_: None))
            progress.advance(1, f"{kind.name}, training {seed}")
    met = []
    for training in trainings:
        met.append(_met(training, judge, draws))
        session.raw(**msgspec.to_builtins(met[-1]))
        progress.advance(1, f"{training.kind}, drawn anew")
    exchanged = _exchanged([each for each in trainings if each.kind == REAL], judge, draws)
    ever = _lives([each for each in trainings if each.kind == REAL], judge, LIVES // 10 if session.quick else LIVES)
    figures: dict[str, Any] = {
        "trainings": count,
        "draws": draws,
        "promoted": {name: round(_share(met, name), 4) for name in KINDS},
        "promoted_as_recorded": {name: _as_recorded(met, name) for name in KINDS},
        "exchanged": {"promoted": round(exchanged, 4)},
        "lives": {"dreams": DREAMS, "ever_promoted": round(ever, 4)},
    }
    return Outcome(
        figures=figures,
        goals=_goals(met, exchanged, ever, judge.alpha),
        text=_text(met, exchanged, ever, judge),
        packages=("torch", "transformers"),
    )


def drawn(trials: Sequence[Trial], random: Random) -> list[Trial]:
    """As many questions of each stratum, drawn with replacement (Efron 1979)."""
    strata: dict[tuple[str, bool], list[Trial]] = defaultdict(list)
    for trial in trials:
        strata[trial.stratum, trial.target].append(trial)
    return [each for _, members in sorted(strata.items()) for each in random.choices(members, k=len(members))]


def exchanged(trials: Sequence[Trial], random: Random) -> list[Trial]:
    """What was taught, before and after exchanged by lot: as many better as worse, however much changed."""
    return [
        msgspec.structs.replace(
            trial,
            before=trial.after,
            after=trial.before,
            before_manner=trial.after_manner,
            after_manner=trial.before_manner,
        )
        if trial.target and random.random() < 0.5
        else trial
        for trial in trials
    ]


def _met(training: Recorded, judge: Judge, draws: int) -> Met:
    random = Random(f"gate/{training.kind}/{training.seed}")
    rulings = [rule(drawn(training.trials, random), judge) for _ in range(draws)]
    failed = Counter(check.name for ruling in rulings for check in ruling.checks if not check.passed)
    return Met(
        kind=training.kind,
        seed=training.seed,
        ruling=rule(training.trials, judge),
        promoted=sum(ruling.promoted for ruling in rulings),
        draws=draws,
        failed=dict(failed.most_common()),
    )


def _exchanged(trainings: Sequence[Recorded], judge: Judge, draws: int) -> float:
    """Share promoted where what was taught is exchanged by lot: the whole ruling under no improvement."""
    random = Random("gate/exchanged")
    promoted = [
        rule(exchanged(drawn(training.trials, random), random), judge).promoted
        for training in trainings
        for _ in range(draws)
    ]
    return sum(promoted) / len(promoted)


def _lives(trainings: Sequence[Recorded], judge: Judge, lives: int) -> float:
    """Share of courses of dreams without improvement in which the test of the target alone ever promoted."""
    random = Random("gate/lives")
    changed = [
        sum(checks.changes([trial for trial in training.trials if trial.target], _before)[:2]) for training in trainings
    ]
    return sum(any(_life(random, changed, judge)) for _ in range(lives)) / lives


def _life(random: Random, changed: Sequence[int], judge: Judge) -> Iterator[bool]:
    past: list[bool] = []
    for _ in range(DREAMS):
        many = random.choice(changed)
        gained = random.getrandbits(many).bit_count() if many else 0
        past.append(paired.mcnemar(gained, many - gained) < spending.level(judge.alpha, past))
        yield past[-1]


def _before(trial: Trial) -> bool:
    return trial.before


def _of(met: Sequence[Met], name: str) -> list[Met]:
    return [each for each in met if each.kind == name]


def _share(met: Sequence[Met], name: str) -> float:
    of = _of(met, name)
    return sum(each.promoted for each in of) / sum(each.draws for each in of)


def _as_recorded(met: Sequence[Met], name: str) -> int:
    return sum(each.ruling.promoted for each in _of(met, name))


def _goals(met: Sequence[Met], exchanged: float, ever: float, alpha: float) -> list[Goal]:
    bad = [kind.name for kind in KINDS.values() if kind.good is False]
    refused = [
        at_most(f"refuses {name.split()[0]}", f"{name}: trainings promoted", target=0, measured=_as_recorded(met, name))
        for name in bad
    ]
    return [
        *refused,
        at_least(
            "accepts", "a real improvement, drawn anew: share promoted", target=ACCEPTED, measured=_share(met, REAL)
        ),
        at_most("control", "no change, drawn anew: share promoted", target=alpha, measured=_share(met, CONTROL)),
        at_most("exchanged", "before and after exchanged by lot: share promoted", target=alpha, measured=exchanged),
        at_most("lives", f"{DREAMS} dreams without improvement: share with any promotion", target=alpha, measured=ever),
    ]


def _text(met: Sequence[Met], exchanged: float, ever: float, judge: Judge) -> str:
    lines = [
        "Each training is real: the small model of the reference family, taught by the training process's own stages;",
        "its trials are recorded once, and its held-out questions drawn anew with replacement, stratum by stratum, and",
        f"ruled on as by a level's first dream (alpha {spending.level(judge.alpha, ()):.3g} of {judge.alpha:g}).",
        "",
        "| kind | what was learned | trainings promoted | promoted, drawn anew | refused by |",
        "|---|---|---|---|---|",
        *(_kind_line(kind, _of(met, kind.name)) for kind in KINDS.values()),
        "",
        f"Real improvements with before and after of what was taught exchanged by lot: {exchanged:.2%} promoted. Of",
        f"courses of {DREAMS} dreams that improve nothing, by the test of the target alone: {ever:.2%} promote once.",
        "",
        "| training | taught | right before → after, of what was taught | what failed, as recorded |",
        "|---|---|---|---|",
        *(_training_line(each) for each in met),
    ]
    return "\n".join(lines)


def _kind_line(kind: Kind, met: Sequence[Met]) -> str:
    draws = sum(each.draws for each in met)
    failed: Counter[str] = Counter()
    for each in met:
        failed.update(each.failed)
    by = "; ".join(f"{name} {count / draws:.0%}" for name, count in failed.most_common(3))
    recorded_ = f"{sum(each.ruling.promoted for each in met)} of {len(met)}"
    return f"| {kind.name} | {kind.says} | {recorded_} | {sum(each.promoted for each in met) / draws:.1%} | {by} |"


def _training_line(met: Met) -> str:
    better = next((check.found.partition(" of ")[0] for check in met.ruling.checks), "nothing judged")
    failed = "; ".join(check.name for check in met.ruling.checks if not check.passed) or "nothing"
    return f"| {met.kind} {met.seed} | {', '.join(skills_of(met.seed))} | {better} | {failed} |"
