"""The evaluation as a record: figures of every size, and the goals that the family is measured by."""

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from statistics import fmean
from typing import Any

from experiments.reference import integrity, lengths
from experiments.reference.evaluate import evaluate, table
from experiments.reference.family import SIZES, WEIGHTS
from experiments.reference.skills import rows
from experiments.reference.speech import DEMO_ROWS
from runtime.bench.plot import Axis, lines
from runtime.bench.record import Goal, at_least, at_most
from runtime.bench.session import Outcome, Progress, Session

RELIABLE, BEYOND = 0.98, 0.15
"""A size answers reliably from here; a question is beyond it up to there."""
RECALL_OF_EIGHT = ("recall_place/8", "recall_favourite/8")
PACKAGES = ("torch", "transformers")
FAR = 0.30
FARTHEST_HOPS = frozenset({"hops/4", "space/4"})
Figures = Mapping[str, Mapping[str, Any]]


def measure(session: Session, sizes: Sequence[str], count: int, weights: Path | None) -> Outcome:
    """Evaluate the sizes one after the other on `count` held-out questions of every skill, and over length."""
    progress = session.progress(len(sizes) * (len(list(rows())) + 1 + len(lengths.LENGTHS)))
    figures: dict[str, Any] = {}
    for size in sizes:
        folder = (weights or WEIGHTS) / size
        figures[size] = measure_size(
            folder, count, session.seed, lambda what, of=size: progress.advance(1, f"{of} {what}")
        )
        for row, figure in figures[size]["skills"].items():
            session.raw(size=size, row=row, **figure)
    session.file("recall-over-length.svg", _plot(figures, "recall", "share right"))
    session.file("perplexity-over-length.svg", _plot(figures, "perplexity", "perplexity of answers"))
    return Outcome(
        figures=figures,
        goals=goals(figures),
        text="\n".join(table(figures)),
        packages=PACKAGES,
        environment={"weights": integrity.version(weights or WEIGHTS)},
    )


def _advance(progress: Progress, size: str, what: str) -> None:
    progress.advance(1, f"{size} {what}")


def measure_size(folder: Path, count: int, seed: int, report: Callable[[str], None]) -> dict[str, Any]:
    """All figures of one size: skills, calibration, and how it holds up over length."""
    found = evaluate(folder, count, seed, report)
    return {**found, "lengths": lengths.over_length(folder, max(2, count // 5), seed, report)}


def goals(figures: Figures) -> list[Goal]:
    """What the sizes are to be able to do, and how far apart they are to be."""
    return [*_demonstration(figures), *_memory(figures), *_largest(figures), *_distances(figures), *_lengths(figures)]


def _demonstration(figures: Figures) -> list[Goal]:
    """Every level's questions are reliably answered by its size; the largest one's are beyond the smallest."""
    found = [
        at_least(
            f"{level}_reliable",
            f"{level} answers {_named(asked)} rightly",
            target=RELIABLE,
            measured=_share(figures, level, asked),
        )
        for level, asked in DEMO_ROWS.items()
    ]
    smallest, *_, largest = DEMO_ROWS
    beyond = at_most(
        f"beyond_{smallest}",
        f"{smallest} answers {_named(DEMO_ROWS[largest])} rightly by chance only",
        target=BEYOND,
        measured=_share(figures, smallest, DEMO_ROWS[largest]),
    )
    return [*found, beyond]


def _memory(figures: Figures) -> list[Goal]:
    return [
        at_least(
            f"{size}_recall_of_8",
            f"{size} finds each kind of fact again among 8 that were told, held-out wordings",
            target=target,
            measured=min(_rows(figures[size])[row] for row in RECALL_OF_EIGHT) if size in figures else None,
        )
        for size, target in (("sensory", 0.80), ("tactical", 0.95), ("specialized", 0.95))
    ]


def _largest(figures: Figures) -> list[Goal]:
    """Of every skill over its difficulties, and of every row, but those of four hops: the worst counts."""
    largest = list(SIZES)[-1]
    shares = _rows(figures[largest]) if largest in figures else {}
    counted = {row: share for row, share in shares.items() if row not in FARTHEST_HOPS}
    skills: dict[str, list[float]] = {}
    for row, share in counted.items():
        skills.setdefault(row.partition("/")[0], []).append(share)
    means = {skill: round(fmean(each), 4) for skill, each in skills.items()}
    return [
        _worst(f"{largest}_every_skill", f"{largest} answers every skill rightly, over its difficulties", means),
        _worst(f"{largest}_every_row", f"{largest} answers every row rightly", counted),
    ]


def _worst(name: str, what: str, shares: Mapping[str, float]) -> Goal:
    worst = min(shares, key=shares.__getitem__, default="")
    return at_least(name, f"{what}; its worst: {worst}", target=0.90, measured=shares.get(worst))


def _distances(figures: Figures) -> list[Goal]:
    found = [
        at_least(
            f"{larger}_above_{smaller}",
            f"{larger} above {smaller}, mean over skills",
            target=0.10,
            measured=_lead(figures, smaller, larger),
        )
        for smaller, larger in pairwise(SIZES)
    ]
    smallest, *_, largest = SIZES
    below = at_least(
        "far_below",
        f"skills in which {smallest} is 30 points or more below {largest}",
        target=3,
        measured=_far_below(figures, smallest, largest),
    )
    return [*found, below]


def _lead(figures: Figures, smaller: str, larger: str) -> float | None:
    if not {smaller, larger} <= set(figures):
        return None
    return round(float(figures[larger]["mean"] - figures[smaller]["mean"]), 4)


def _far_below(figures: Figures, smaller: str, larger: str) -> int | None:
    if not {smaller, larger} <= set(figures):
        return None
    small, large = figures[smaller]["means"], figures[larger]["means"]
    return sum(large[skill] - small[skill] >= FAR for skill in large)


def _lengths(figures: Figures) -> list[Goal]:
    """Of every size: at the far end of the context as it is near its beginning."""
    found = []
    for size in SIZES:
        over = figures[size]["lengths"] if size in figures else None
        near, far = str(lengths.LENGTHS[0]), str(lengths.LENGTHS[-1])
        found += [
            at_least(
                f"{size}_recall_over_length",
                f"{size}: recall of 8 facts at {far} tokens, of that at {near}",
                target=0.90,
                measured=round(over["recall"][far] / max(over["recall"][near], 1e-9), 4) if over else None,
            ),
            at_most(
                f"{size}_perplexity_over_length",
                f"{size}: perplexity of answers among the last {lengths.BIN} of 2,048 tokens, of that among the second",
                target=1.10,
                measured=_ratio(list(over["perplexity"].values())) if over else None,
            ),
        ]
    return found


def _ratio(perplexities: Sequence[float]) -> float:
    return round(perplexities[-1] / perplexities[1], 4)


def _rows(figures: Mapping[str, Any]) -> dict[str, float]:
    return {row: figure["share"] for row, figure in figures["skills"].items()}


def _share(figures: Figures, size: str, asked: Sequence[tuple[str, int]]) -> float | None:
    """The share of right answers over the rows; None where the size was not measured."""
    if size not in figures:
        return None
    shares = [_rows(figures[size])[f"{skill}/{difficulty}"] for skill, difficulty in asked]
    return float(sum(shares) / len(shares))


def _named(asked: Sequence[tuple[str, int]]) -> str:
    return ", ".join(f"{skill}/{difficulty}" for skill, difficulty in asked)


def _plot(figures: Figures, what: str, label: str) -> bytes:
    series = {
        size: [(float(length), value) for length, value in found["lengths"][what].items()]
        for size, found in figures.items()
    }
    return lines(f"{label} as the conversation grows", series, Axis("tokens"), Axis(label))
