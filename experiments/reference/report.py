"""The evaluation as a record: figures of every size, and the goals that the family is measured by."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from experiments.reference.evaluate import evaluate, rows, table
from experiments.reference.family import WEIGHTS
from experiments.reference.speech import DEMO_ROWS
from runtime.bench.record import Goal, at_least, at_most
from runtime.bench.session import Outcome, Session

RELIABLE, BEYOND = 0.98, 0.15
"""A size answers reliably from here; a question is beyond it up to there."""


def measure(session: Session, sizes: Sequence[str], count: int, weights: Path | None) -> Outcome:
    """Evaluate the sizes one after the other on `count` held-out questions of every skill."""
    progress = session.progress(len(sizes) * len(list(rows())))
    figures: dict[str, Any] = {}
    for size in sizes:
        figures[size] = evaluate(
            (weights or WEIGHTS) / size,
            count,
            session.seed,
            lambda row, *_, of=size: progress.advance(1, f"{of} {row}"),
        )
        for row, figure in figures[size]["skills"].items():
            session.raw(size=size, row=row, **figure)
    return Outcome(
        figures=figures, goals=goals(figures), text="\n".join(table(figures)), packages=("torch", "transformers")
    )


def goals(figures: Mapping[str, Mapping[str, Any]]) -> list[Goal]:
    """Every level's questions are reliably answered by its size; the largest one's are beyond the smallest."""
    found = []
    for level, asked in DEMO_ROWS.items():
        found.append(
            at_least(
                f"{level}_reliable",
                f"{level} answers {_named(asked)} rightly",
                target=RELIABLE,
                measured=_share(figures, level, asked),
            )
        )
    smallest, *_, largest = DEMO_ROWS
    found.append(
        at_most(
            f"beyond_{smallest}",
            f"{smallest} answers {_named(DEMO_ROWS[largest])} rightly by chance only",
            target=BEYOND,
            measured=_share(figures, smallest, DEMO_ROWS[largest]),
        )
    )
    return found


def _share(figures: Mapping[str, Mapping[str, Any]], size: str, asked: Sequence[tuple[str, int]]) -> float | None:
    """The share of right answers over the rows; None where the size was not measured."""
    if size not in figures:
        return None
    shares = [figures[size]["skills"][f"{skill}/{difficulty}"]["share"] for skill, difficulty in asked]
    return float(sum(shares) / len(shares))


def _named(asked: Sequence[tuple[str, int]]) -> str:
    return ", ".join(f"{skill}/{difficulty}" for skill, difficulty in asked)
