"""Whether salience answers to its causes: planted first and written down, then measured through the true parts.

The smallest reference model reads and answers every turn behind its engine; sense of context, verifier and what the
dialogue owes to both are those of the running system, without its processes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from experiments.snarc.causes import planted
from experiments.snarc.stream import Measured, Stream
from experiments.snarc.verdict import CAUSES, PARTS, Consumers, figures
from nodes.context_classifier import config
from nodes.context_classifier.classifier import Classifier
from nodes.context_classifier.salience import DIMENSIONS
from nodes.dream_consolidator import settings as dreaming
from nodes.metabolic_controller.config import MetabolismConfig
from nodes.model_worker import levels
from nodes.model_worker.engine import Engine
from runtime import config as files
from runtime import paths
from runtime.bench.record import Goal, at_least, at_most
from runtime.bench.session import Outcome, Session

LEVEL = "sensory"
TARGET = 0.9
CALM = 0.02
"""Share of ordinary inputs that may be taken for something that rouses a sleeper."""
LEAST = 0.1
"""Under what each part must fall in a twentieth of all turns, as an even rank does: nothing has a floor."""


def measure(session: Session) -> Outcome:
    each, ordinary, warm = (8, 40, 40) if session.quick else (25, 200, 120)
    turns = planted(session.seed, each=each, ordinary=ordinary, warm=warm)
    for number, turn in enumerate(turns):
        session.raw(exchange=number, **turn.written())
    metabolism = files.load(paths.shipped("configs/metabolism.yaml"), MetabolismConfig)
    consumers = Consumers(
        rouse=metabolism.rest.rouse_salience,
        focus=metabolism.focus.enter_salience,
        held=metabolism.focus.leave_salience,
        kept=dreaming.load().collect.salience,
    )
    engine = Engine(levels.load().by_name(LEVEL))
    progress = session.progress(len(turns))
    measured: list[Measured] = []
    for found in Stream(engine, Classifier(config.load())).run(turns):
        measured.append(found)
        progress.advance(1, found.turn.how or "ordinary turns")
    for number, found in enumerate(measured):
        session.raw(exchange=number, revision=found.scored.revision, input=found.classified.snarc, scored=found.snarc)
    result = figures(measured, consumers)
    return Outcome(
        figures=result,
        goals=_goals(result),
        text=_text(result),
        packages=("torch", "transformers"),
        environment={"model": engine.info().version},
    )


def _goals(found: Mapping[str, Any]) -> list[Goal]:
    own = [
        at_least(f"own.{name}", f"AUC of {name} for its own cause", target=TARGET, measured=found["own"][name]["area"])
        for name in DIMENSIONS
    ]
    highest = max(found["ranges"][name]["p5"] for name in DIMENSIONS)
    calm = found["calm"]["rouse"]
    return [
        *own,
        at_most("floor", "5th percentile of each part over all turns, the highest", target=LEAST, measured=highest),
        at_most("calm", "share of ordinary inputs salient enough to rouse a sleeper", target=CALM, measured=calm),
    ]


def _text(found: Mapping[str, Any]) -> str:
    calm, theirs = found["calm"], found["calm_of_sigmoids"]
    return "\n".join(
        [
            "Causes were planted in conversations of ordinary turns and written to `raw.jsonl` (its first rows) before",
            "any was measured. Figures are areas under the curve against ordinary turns: 0.5 tells nothing.",
            "",
            "Every part against every cause; its own in bold.",
            "",
            *_markdown(found["every"], CAUSES, bold=True),
            "",
            "The forerunner's sigmoids on the same turns. What they order well they order well, but nothing falls",
            f"under a half: after {theirs['held']:.0%} of ordinary turns FOCUS cannot end ({calm['held']:.1%} here),",
            f"and {theirs['kept']:.0%} would be kept to dream of ({calm['kept']:.0%} here).",
            "",
            *_markdown(found["sigmoids"], CAUSES),
            "",
            "By the way of planting.",
            "",
            *_markdown(_turned(found["ways"]), PARTS),
        ]
    )


def _markdown(table: Mapping[str, Mapping[str, Any]], columns: Sequence[str], *, bold: bool = False) -> list[str]:
    rows = [f"| | {' | '.join(columns)} |", f"|---|{'---|' * len(columns)}"]
    for name, cells in table.items():
        shown = [
            f"**{_shown(cells[column])}**" if bold and column == name else _shown(cells[column]) for column in columns
        ]
        rows.append(f"| {name} | {' | '.join(shown)} |")
    return rows


def _shown(value: float | None) -> str:
    return "none" if value is None else f"{value:.2f}"


def _turned(table: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    ways = next(iter(table.values()))
    return {way: {part: cells[way] for part, cells in table.items()} for way in ways}
