"""What refinement comes to on held-out questions, and whether its energy tells right answers from wrong ones.

Confidence is calibrated on other held-out questions, of which none has the content of one that is measured. Nobody
tells the plugin whether an answer is right: the verifier only judges what came out. Questions are drawn evenly over the
rows of the curriculum (skill and difficulty), so hard ones come far more often than people would ask them.
"""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Sequence
from random import Random
from typing import Any

from experiments.irp.engines import Engines
from experiments.reference.curriculum import Question, questions
from experiments.reference.intervals import discrimination, wilson
from experiments.reference.skills import SKILLS, rows
from experiments.reference.split import Split
from experiments.reference.verifiers import right
from nodes.dialogue.calibration import Calibration, Judged, calibration_error, fitted, signs_of
from nodes.dialogue.irp import HierarchicalCognitiveIRP, IRPState
from protocol.messages.model import ChatMessage
from runtime.bench.record import Goal, at_least, at_most
from runtime.bench.session import Outcome, Progress, Session

TARGET, ITERATIONS = 0.1, 5
RESTS, TELLS = 0.9, 0.8
"""Share that is to reach the target, and the area under the curve that is to be reached."""
DEADLINE_S = 60.0
REFINED, SECOND = "refined", "second_opinion"
WAYS = {REFINED: 1, SECOND: 2}
"""Way of refining → answers there have to be before it may rest. The goals are those of the first, the plugin's own."""


def measure(session: Session, count: int, doubt: str) -> Outcome:
    """Figures of `count` refinements with the levels of `configs/levels.yaml`, in this process."""
    measured = _drawn(session.seed, count)
    held = {question.content for question in measured}
    learned = [one for one in _drawn(session.seed + 1000, 150 if session.quick else 1500) if one.content not in held]
    engines = Engines({})
    progress = session.progress(len(engines.levels) * (len(learned) + len(measured)) + len(WAYS) * len(measured))
    try:
        for level in engines.levels:
            calibration = _calibrated(engines, level, learned, progress)
            if calibration is not None:
                engines.calibrations[level] = calibration
        alone = {level: _alone(engines, level, measured, progress) for level in engines.levels}
        ways = {way: _way(session, engines, measured, way, doubt, progress) for way in WAYS}
        versions = engines.versions
    finally:
        engines.close()
    figures = {
        "queries": len(measured),
        "calibrated_on": len(learned),
        **ways,
        "alone": alone,
    }
    return Outcome(
        figures=figures,
        goals=_goals(figures),
        text=_text(figures),
        packages=("torch", "transformers"),
        environment={"weights": versions, "doubt": doubt},
    )


def _drawn(seed: int, count: int) -> list[Question]:
    """Held-out questions, as many of each row as of any other, give or take one."""
    order = rows()
    Random(f"irp/{seed}").shuffle(order := list(order))
    each = -(-count // len(order))
    columns = [questions(Split.HELD_OUT, skill, difficulty, seed, each) for skill, difficulty in order]
    return list(itertools.islice(itertools.chain.from_iterable(zip(*columns, strict=True)), count))


def _messages(question: Question) -> list[ChatMessage]:
    return [ChatMessage(role=message.role, content=message.content) for message in question.messages]


def _right(question: Question, answer: str) -> bool:
    return right(SKILLS[question.skill], answer, question.answer)


def _calibrated(engines: Engines, level: str, learned: Sequence[Question], progress: Progress) -> Calibration | None:
    judged = []
    for question in learned:
        generated = engines.generate(level, _messages(question))
        if (signs := signs_of(generated)) is not None:
            judged.append(Judged(signs=signs, score=float(_right(question, generated.text))))
        progress.advance(1, f"calibrating {level}")
    return fitted(judged)


def _alone(engines: Engines, level: str, measured: Sequence[Question], progress: Progress) -> dict[str, Any]:
    """What the level is worth without refinement, and how well its confidence tells."""
    sure, good = [], []
    for question in measured:
        generated = engines.generate(level, _messages(question))
        sure.append(engines.confidence(level, generated))
        good.append(_right(question, generated.text))
        progress.advance(1, f"{level} alone")
    return {
        "right": round(sum(good) / len(good), 4),
        "auc": _rounded(discrimination(sure, good)),
        "calibration_error": round(calibration_error(sure, good), 4),
    }


class _Refined:
    """One refinement, judged."""

    def __init__(self, question: Question, state: IRPState, history: list[IRPState], plugin: Any) -> None:
        self.right = _right(question, state.x)
        self.energy = state.energy_val
        self.energies = [one.energy_val for one in history[1:]]
        self.rights = [_right(question, one.x) for one in history[1:]]
        self.ended = str(state.meta["ended"])
        self.metrics = plugin.compute_trust_metrics(history)
        self.recomputed = all(plugin.energy(one) == one.energy_val for one in history)


def _way(
    session: Session, engines: Engines, measured: Sequence[Question], way: str, doubt: str, progress: Progress
) -> dict[str, Any]:
    engines.asked.clear()
    found = []
    for question in measured:
        found.append(_refined(session, engines, question, way, doubt))
        progress.advance(1, way)
    return {**_figures(found), "asked": dict(engines.asked)}


def _refined(session: Session, engines: Engines, question: Question, way: str, doubt: str) -> _Refined:
    plugin = HierarchicalCognitiveIRP(engines)
    context = {
        "target": TARGET,
        "least": WAYS[way],
        "most": ITERATIONS,
        "deadline_s": DEADLINE_S,
        "doubt": doubt,
    }
    state, history = plugin.refine(_messages(question), context)
    found = _Refined(question, state, history, plugin)
    session.raw(
        way=way,
        skill=question.skill,
        difficulty=question.difficulty,
        replies=[(one.level, one.text, round(one.confidence, 4), one.retry) for one in history[-1].replies],
        energies=[round(value, 4) for value in found.energies],
        energy=round(found.energy, 4),
        right=found.right,
        ended=found.ended,
    )
    return found


def _figures(found: Sequence[_Refined]) -> dict[str, Any]:
    good, sure = [one.right for one in found], [1.0 - one.energy for one in found]
    rested = [one for one in found if one.energy < TARGET]
    others = [one for one in found if one.energy >= TARGET]
    low, high = wilson(len(rested), len(found))
    return {
        "under_target": round(len(rested) / len(found), 4),
        "under_target_low": round(low, 4),
        "under_target_high": round(high, 4),
        "auc": _rounded(discrimination(sure, good)),
        "auc_error": _auc_error(discrimination(sure, good), sum(good), len(good) - sum(good)),
        "auc_of_every_iteration": _rounded(
            discrimination(
                [1.0 - value for one in found for value in one.energies], [w for one in found for w in one.rights]
            )
        ),
        "right": round(sum(good) / len(good), 4),
        "wrong": len(good) - sum(good),
        "right_under_target": _share(rested),
        "right_above_target": _share(others),
        "calibration_error": round(calibration_error(sure, good), 4),
        "iterations": round(sum(len(one.energies) for one in found) / len(found), 3),
        "under_target_after": {
            str(most): round(sum(one.energies[:most][-1] < TARGET for one in found) / len(found), 4)
            for most in range(1, ITERATIONS + 1)
        },
        "ended": dict(Counter(one.ended for one in found)),
        "energy_rose": sum(after > before for one in found for before, after in itertools.pairwise(one.energies)),
        "energy_fell": sum(after < before for one in found for before, after in itertools.pairwise(one.energies)),
        "not_recomputed": sum(not one.recomputed for one in found),
        "monotonicity": round(sum(one.metrics["monotonicity"] for one in found) / len(found), 4),
        "oscillations": sum(one.metrics["oscillations"] for one in found),
    }


def _auc_error(auc: float | None, good: int, bad: int) -> float | None:
    """Standard error of an area under the curve (Hanley and McNeil 1982)."""
    if auc is None:
        return None
    both, twice = auc / (2 - auc), 2 * auc * auc / (1 + auc)
    spread = auc * (1 - auc) + (bad - 1) * (both - auc * auc) + (good - 1) * (twice - auc * auc)
    return round(math.sqrt(spread / (good * bad)), 4)


def _share(found: Sequence[_Refined]) -> float | None:
    return round(sum(one.right for one in found) / len(found), 4) if found else None


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


def _goals(figures: dict[str, Any]) -> list[Goal]:
    return [
        at_least(
            "under_target",
            f"share of held-out questions whose energy is under {TARGET} within {ITERATIONS} iterations",
            target=RESTS,
            measured=figures[REFINED]["under_target"],
        ),
        at_least(
            "auc",
            "chance that a right answer has less energy at the end than a wrong one",
            target=TELLS,
            measured=figures[REFINED]["auc"],
        ),
        at_most(
            "recomputed",
            "refinements of which an energy is another when it is computed anew from the answers",
            target=0,
            measured=sum(figures[way]["not_recomputed"] for way in WAYS),
        ),
    ]


def _text(figures: dict[str, Any]) -> str:
    rows_ = [
        "| | right | under the target | AUC | calibration error | asked |",
        "|---|---|---|---|---|---|",
        *(_row(way.replace("_", " "), figures[way]) for way in WAYS),
        *(_row(f"{level} alone", one) for level, one in figures["alone"].items()),
    ]
    few = ", ".join(f"{figures[way]['wrong']} ({way})" for way in WAYS)
    return "\n".join([*rows_, "", f"Wrong at the end: {few}. An area under the curve is no surer than they are many."])


def _row(name: str, one: dict[str, Any]) -> str:
    auc = f"{one['auc']} ± {one['auc_error']}" if "auc_error" in one else one["auc"]
    asked = ", ".join(f"{level} {count}" for level, count in one.get("asked", {}).items())
    under = one.get("under_target", "")
    return f"| {name} | {one['right']:.4f} | {under} | {auc} | {one['calibration_error']:.4f} | {asked} |"
