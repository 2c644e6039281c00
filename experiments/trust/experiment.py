"""`measure`: the same courses lived by all who choose; sparse and noisy judgement; other costs; a level that breaks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from random import Random

import click
import msgspec

from experiments.trust import report
from experiments.trust.answers import pool
from experiments.trust.lives import Life, live
from experiments.trust.measures import Breakage, Measured, breakage, frontier, measured, regrets_of
from experiments.trust.ours import Ours
from experiments.trust.rivals import LARGEST, LEVELS, Always, Chance, Forerunner, Rival, Threshold, shares_at
from experiments.trust.world import Met, World, course, digest, load
from nodes.dialogue import config as dialogue
from nodes.trust_ledger.table import Version
from runtime.bench.record import Goal, at_least, at_most
from runtime.bench.session import Outcome, Progress, Session
from runtime.bench.statistics import median

SEEDS, QUICK_SEEDS = 5, 1
QUICK_EACH, QUICK_DAYS = 30, 2
OURS, ALWAYS_LARGEST = "ours", f"always {LEVELS[-1]}"
WITHOUT = "ours, without replay"
SPARSE = {"few": "2% judged", "users": "5% judged", "many": "10% judged"}

Found = dict[str, list[Measured]]
"""Who chose → what was measured of it, seed by seed."""


def measure(session: Session) -> Outcome:
    world = load()
    if session.quick:
        small = msgspec.structs.replace(world.pool, each=QUICK_EACH)
        world = msgspec.structs.replace(world, pool=small, days=QUICK_DAYS)
    named = digest(world)
    click.echo(f"world sha256 {named}", err=True)
    seeds = range(session.seed, session.seed + (QUICK_SEEDS if session.quick else SEEDS))
    asked = pool(world.pool.each, world.pool.seed, lambda what: click.echo(what, err=True) if session.quick else None)
    progress = session.progress(len(seeds) * 20)
    trial = Trial(session, progress, world)
    for seed in seeds:
        trial.live(seed, course(world, asked, seed))
    figures = {
        "sha256": named,
        "seeds": len(seeds),
        "rivals": {name: report.summary(each) for name, each in trial.found.items()},
        "frontier": [
            {"saved": round(saved, 4), "right": round(right, 4)} for saved, right in report.mean_curve(trial.frontiers)
        ],
        "broken": [msgspec.to_builtins(one) for one in trial.broken],
        "tuned": trial.tuned,
        "calibration_error": trial.calibration,
    }
    text = report.text(trial.found, trial.frontiers, trial.broken, trial.tuned, trial.calibration, world, named)
    return Outcome(
        figures=figures,
        goals=_goals(trial.found, trial.frontiers, trial.broken),
        text=text + "\n\n" + _pictures(session, trial),
        environment={"world_sha256": named},
    )


class Trial:
    """Everybody's lives, seed by seed."""

    def __init__(self, session: Session, progress: Progress, world: World) -> None:
        self.session = session
        self.progress = progress
        self.world = world
        self.choice = dialogue.load()
        self.trust = dialogue.load_trust()
        self.found: Found = {}
        self.frontiers: list[list[tuple[float, float]]] = []
        self.broken: list[Breakage] = []
        self.tuned: list[list[float | None]] = []
        """Seed by seed, the price after each night."""
        self.calibration: dict[str, list[float]] = {}
        """Level → error of its calibration after the last night, seed by seed."""
        self.shown: dict[str, list[dict[str, float]]] = {}
        """For the pictures: what was believed in the first seed."""
        self.regrets: dict[str, list[float]] = {}

    def live(self, seed: int, met: Sequence[Met]) -> None:
        world = self.world
        self.frontiers.append(frontier(world, met))
        base = self._lived(seed, met, ALWAYS_LARGEST, Always(LARGEST), None)
        always = [self._lived(seed, met, f"always {LEVELS[level]}", Always(level), base) for level in range(LARGEST)]
        self._lived(seed, met, "the forerunner's rule", Forerunner(), base)
        for weak in range(LARGEST):
            tuning = self.choice.choice.tuning
            router = Threshold(weak, tuning.margin, tuning.sure)
            self._lived(seed, met, f"threshold, {LEVELS[weak]} or {LEVELS[-1]}", router, base)
        ours = self._ours(seed)
        life = self._lived(seed, met, OURS, ours, base, look=_believing(ours))
        self._by_chance(seed, met, [*always, base], life, base)
        self.tuned.append([one.price for one in ours.tunings])
        for name, calibration in ours.calibrations.items():
            self.calibration.setdefault(name, []).append(round(calibration.error, 4))
        self._lived(seed, met, WITHOUT, self._ours(seed, replays=False), base)
        self._lived(seed, met, "ours, without cascade", self._alone(seed), base)
        for feedback, name in SPARSE.items():
            self._lived(seed, met, f"ours, {name}", self._ours(seed), base, feedback=feedback)
        self._lived(seed, met, f"{WITHOUT}, 5% judged", self._ours(seed, replays=False), base, feedback="users")
        self._lived(seed, met, "the forerunner's rule, 5% judged", Forerunner(), base, feedback="users")
        for device in self.world.devices:
            if device != self.world.costs:
                other = self._lived(
                    seed, met, f"{ALWAYS_LARGEST}, costs as {device}", Always(LARGEST), None, device=device
                )
                self._lived(
                    seed, met, f"ours, costs as {device}", self._ours(seed, device=device), other, device=device
                )
        if len(met) > world.breaks.until:
            self._break(seed, met, base)

    def _lived(
        self,
        seed: int,
        met: Sequence[Met],
        name: str,
        rival: Rival,
        base: Life | None,
        *,
        feedback: str = "verifier",
        device: str = "",
        look: Callable[[int], dict[str, float]] | None = None,
    ) -> Life:
        life = live(self.world, met, rival, self.world.feedback[feedback], seed, device=device, look=look)
        if isinstance(rival, Threshold):
            life.replayed_atp = life.replayed_atp[:1]  # it learns from the first night only
        elif not (isinstance(rival, Ours) and rival.replays):
            life.replayed_atp = []  # who learns nothing by night has nothing replayed
        found = measured(self.world, met, life, base or life, device)
        self.found.setdefault(name, []).append(found)
        self.session.raw(seed=seed, who=name, **msgspec.to_builtins(found))
        if name not in self.regrets and not device:
            self.regrets[name] = regrets_of(self.world, met, life)
        if look is not None:
            self.shown.setdefault(name, life.looks)
        self.progress.advance(1, f"seed {seed}: {name}")
        return life

    def _by_chance(self, seed: int, met: Sequence[Met], always: Sequence[Life], life: Life, base: Life) -> None:
        since = self.world.queries
        costs = [sum(one.atp for one in each.answered[since:]) for each in always]
        rights = [sum(one.right for one in each.answered[since:]) for each in always]
        shares = shares_at(sum(one.atp for one in life.answered[since:]), costs, rights)
        self._lived(seed, met, "by chance, at the cost of ours", Chance(shares, Random(f"chance/{seed}")), base)

    def _break(self, seed: int, met: Sequence[Met], base: Life) -> None:
        breaks = self.world.breaks
        ours = self._ours(seed)
        version = Version(LEVELS[breaks.level], LEVELS[breaks.level])

        def look(_number: int) -> dict[str, float]:
            standing = ours.arms.get(version)
            rows = {row.level: row.mean for row in ours.known.rows if row.context == "moving"}
            return {"alarm": float(standing is not None and standing.drift.alarmed), **rows}

        verified = self.world.feedback["verifier"]
        life = live(self.world, met, ours, verified, seed, breaks=breaks, look=look, look_every=1)
        found = breakage(self.world, life, base, breaks)
        self.broken.append(found)
        self.shown.setdefault("broken", life.looks)
        self.session.raw(seed=seed, who="broken", **msgspec.to_builtins(found))
        self.progress.advance(1, f"seed {seed}: a level breaks")

    def _ours(self, seed: int, *, replays: bool = True, device: str = "") -> Ours:
        return Ours(self.world, self.choice, self.trust, Random(f"ours/{seed}"), replays=replays, device=device)

    def _alone(self, seed: int) -> Ours:
        """Nothing is handed on, and nothing expected of it."""
        choice = msgspec.structs.replace(self.choice.choice, noticed=0.0, alarms=0.0)
        config = msgspec.structs.replace(self.choice, choice=choice)
        return Ours(self.world, config, self.trust, Random(f"ours/{seed}"), hands_on=False)


def _believing(ours: Ours) -> Callable[[int], dict[str, float]]:
    return lambda _number: {
        f"{row.level} {bound}": getattr(row, bound)
        for row in ours.known.rows
        if row.context == "moving"
        for bound in ("low", "mean", "high")
    }


def _goals(found: Found, frontiers: Sequence[Sequence[tuple[float, float]]], broken: Sequence[Breakage]) -> list[Goal]:
    allowed = [
        max((saved for saved, right in curve if right >= base.right - 0.01), default=0.0)
        for curve, base in zip(frontiers, found[ALWAYS_LARGEST], strict=True)
    ]
    goals = [
        at_least(
            "oracle",
            "ATP that an oracle could save without loss, least of the seeds: whether the workload allows the next goal",
            target=0.3,
            measured=round(min(allowed), 4),
        ),
        *_against("", found[OURS]),
        at_least(
            "regret",
            "share of choices with a utility regret of at most 0.01; median of the seeds",
            target=0.85,
            measured=round(median([one.small_regret for one in found[OURS]]), 4),
        ),
    ]
    for feedback, name in SPARSE.items():
        goals += _against(feedback, found[f"ours, {name}"])
    noticed = [one.outcomes for one in broken]
    slowest = None if not noticed or None in noticed else max(one for one in noticed if one is not None)
    goals.append(
        at_most("noticed", "outcomes of a broken level until it is noticed, at worst", target=50, measured=slowest)
    )
    back = [float(one.recovered is not None) for one in broken]
    goals.append(
        at_least(
            "recovered",
            "share of seeds in which it was relied on again after its repair",
            target=1.0,
            measured=sum(back) / len(back) if back else None,
        )
    )
    return goals


def _against(feedback: str, mine: Sequence[Measured]) -> list[Goal]:
    mark, with_what = (
        (f"-{feedback}", f", {SPARSE[feedback]} by people, 15% wrong, no verifier") if feedback else ("", "")
    )
    return [
        at_least(
            f"saved{mark}",
            f"ATP saved against always-largest{with_what}; least of the seeds",
            target=0.3,
            measured=round(min(one.saved for one in mine), 4),
        ),
        at_most(
            f"loss{mark}",
            f"right answers lost against it, one-sided 95% bound{with_what}; worst of the seeds",
            target=0.01,
            measured=round(max(one.bound for one in mine), 4),
        ),
    ]


def _pictures(session: Session, trial: Trial) -> str:
    """Draw them; their names, or why there are none."""
    if session.out is None:
        return ""
    from experiments.trust import picture

    try:
        drawn: Mapping[str, bytes] = {
            "frontier.png": picture.against_cost(trial.found, report.mean_curve(trial.frontiers)),
            "trust.png": picture.over_time(trial.shown, trial.world.breaks),
            "regret.png": picture.regret(trial.regrets, trial.world.queries),
        }
    except ModuleNotFoundError as error:
        return f"Not drawn: {error.name} is missing (pip install 'sage-runtime[plots]')."
    for name, data in drawn.items():
        session.file(name, data)
    return "\n\n".join(f"![{name.removesuffix('.png')}]({name})" for name in drawn)
