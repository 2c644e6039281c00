"""`measure`: every pair at every length in every way, and the times at the true shapes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from experiments.reference import integrity
from experiments.reference.contexts import asks, conversations, ids_of, probes
from experiments.reference.evaluate import load
from experiments.reference.family import SIZES, WEIGHTS
from experiments.reference.split import Split
from experiments.reference.tokenizer import STOP
from experiments.transfer import report
from experiments.transfer.measure import Measured, measure
from experiments.transfer.pairs import pairs
from experiments.transfer.shapes import RANK, Timed, timed
from experiments.transfer.ways import fit_maps, ways
from protocol.errors import ConfigError
from runtime.bench.record import Goal, at_least, at_most
from runtime.bench.session import Outcome, Session

LENGTHS = (200, 500, 1000)
TRUE_LENGTHS = (128, 256, 512, 1024)
SHAPES = (("specialized", "tactical"), ("tactical", "sensory"))
MAIN = "specialized → tactical"
SOONER, SURPRISE_P90 = 5.0, 0.5
NAMES = (
    MAIN,
    "tactical → sensory",
    "specialized → sensory",
    "sensory → tactical",
    "tactical → specialized",
    "tactical → tactical, adapted",
)


def run(session: Session, wanted: Sequence[str], *, shapes: bool) -> Outcome:
    for name in wanted:
        if name not in NAMES:
            raise ConfigError(f"there is no pair {name!r}", remedy=f"one of: {'; '.join(NAMES)}")
    few = session.quick
    chosen = wanted or (NAMES[:1] if few else NAMES)
    lengths = LENGTHS[:1] if few else LENGTHS
    progress = session.progress(len(chosen) * (len(lengths) + 1) + (len(SHAPES) * len(TRUE_LENGTHS) if shapes else 0))
    tokenizer = load(SIZES["tactical"].folder)[1]
    read = conversations(tokenizer, 8 if few else 60, session.seed, Split.TRAIN)
    texts = [ids_of(tokenizer, each)[:1000] for each in read]
    stop = tokenizer.convert_tokens_to_ids(STOP)
    found: list[Measured] = []
    for pair in pairs(chosen, texts):
        maps = fit_maps(pair, texts)
        progress.advance(1, f"{pair.name}: fitted")
        for length in lengths:
            told = probes(tokenizer, length, 3 if few else 10, session.seed)
            questions = asks(pair.target, tokenizer, length, 2 if few else 4, session.seed)
            if not questions:
                progress.advance(1, f"{pair.name}, {length} tokens: it answers nothing rightly by itself")
                continue
            rows = measure(pair, ways(pair, maps, stop, texts[-1]), length, told, questions)
            for row in rows:
                session.raw(**msgspec.to_builtins(row))
            found += rows
            progress.advance(1, f"{pair.name}, {length} tokens")
    times: list[Timed] = []
    for source, target in SHAPES if shapes else ():
        for rows_of in timed(source, target, TRUE_LENGTHS, (None, RANK), rounds=1 if few else 3):
            times += rows_of
            progress.advance(1, f"true shapes, {source} → {target}, {rows_of[0].length} tokens")
    session.file("transfer.svg", report.picture(found))
    if times:
        session.file("break-even.svg", report.break_even(times))
    figures: dict[str, Any] = {
        "measured": {f"{one.pair} | {one.length} | {one.way}": report.figures(one) for one in found},
        "true_shapes": {f"{one.pair} | {one.length} | {one.rank or 'full'}": report.timed(one) for one in times},
    }
    return Outcome(
        figures=figures,
        goals=goals(found, times),
        text=report.text(found, times),
        packages=("torch", "transformers"),
        environment={"weights": integrity.version(WEIGHTS)},
    )


def goals(found: Sequence[Measured], times: Sequence[Timed]) -> list[Goal]:
    """Of the largest two of the family, at the longest contexts, by the stacked map."""
    here = [one for one in found if one.pair == MAIN and one.length == max(LENGTHS)]
    moved = next((one for one in here if one.way == "stacked"), None)
    others = [one.right for one in here if one.way in ("no context", "summary") or one.way.startswith("last ")]
    long = [one.sooner for one in times if one.length == 1024]
    return [
        at_least(
            "sooner",
            "times sooner to the first token at 1,024 tokens, true shapes, the slowest of ranks and pairs",
            target=SOONER,
            measured=round(min(long), 2) if long else None,
        ),
        at_most("surprise", "normalised surprise, mean", target=report.PAYS_SURPRISE, measured=_of(moved, "surprise")),
        at_most("surprise-p90", "its p90", target=SURPRISE_P90, measured=_of(moved, "surprise_p90")),
        at_least(
            "right",
            "answers kept of those right by its own reading",
            target=report.PAYS_RIGHT,
            measured=_of(moved, "right"),
        ),
        at_least(
            "above",
            "the same less the best of no context, truncated context and summary",
            target=0.0,
            measured=round(moved.right - max(others), 4) if moved and others else None,
        ),
    ]


def _of(one: Measured | None, field: str) -> float | None:
    return None if one is None else round(getattr(one, field), 4)
