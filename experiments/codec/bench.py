"""`measure`: every point at every length, the negative control, sizes at the true shapes, and speeds."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import torch
from torch import Tensor

from experiments.codec import report
from experiments.codec.control import Naive, with_large_biases
from experiments.codec.measure import Bench, Measured, codec_speed, format_speeds
from experiments.codec.points import CHUNK, Keeping, Point
from experiments.codec.vae import TinyVae
from experiments.reference import integrity
from experiments.reference.contexts import asks, conversations, ids_of, probes
from experiments.reference.evaluate import load
from experiments.reference.family import SIZES, WEIGHTS
from experiments.reference.split import Split
from nodes.model_worker import levels, loading, random_weights
from nodes.model_worker.kv.chunkfile import Keys
from nodes.model_worker.kv.codecs import lossless
from nodes.model_worker.kv.codecs.choosing import BITS
from nodes.model_worker.kv.codecs.fit import Spread
from nodes.model_worker.kv.codecs.learned import Fit, Learned
from nodes.model_worker.kv.codecs.uniform import Uniform
from nodes.model_worker.kv.features import Features
from nodes.model_worker.kv.pruning.scorers import SCORERS
from nodes.model_worker.loading import LoadedModel
from nodes.model_worker.reading import read
from runtime.bench.record import Goal, at_least
from runtime.bench.session import Outcome, Session
from runtime.identity import HostIdentity

MODEL = "specialized"
LENGTHS = (160, 500, 1000, 2000)
STEPS = (0.125, 0.25, 0.5, 1.0, 2.0, 4.0)
"""Of the learned codec, as shares of a number's standard deviation."""
LATENTS = (64, 128, 256)
"""Of the small autoencoder."""
SHARES = (0.5, 0.25, 0.125)
"""Of the tokens, that pruning leaves."""
BOTH = ((0.25, 0.5), (0.5, 0.5), (0.5, 0.25), (1.0, 0.25), (1.0, 0.125))
"""Step and share of both together."""
GOAL, FURTHER = 10.0, 16.0
LONG = 1000


def measure(session: Session, wanted: Sequence[int]) -> Outcome:
    lengths = tuple(wanted) or (LENGTHS[:2] if session.quick else LENGTHS)
    few = session.quick
    loaded = loading.load(levels.load().by_name(MODEL))
    tokenizer = load(SIZES[MODEL].folder)[1]
    with tempfile.TemporaryDirectory(prefix="sage-") as place:
        keeping = Keeping(loaded, Keys(HostIdentity.load(Path(place))))
        groups, deviation, rows = _spread(loaded, tokenizer, 8 if few else 60, session.seed)
        vaes = [TinyVae(keeping.features, rows, latents, session.seed) for latents in (LATENTS[:1] if few else LATENTS)]
        points = list(_points(keeping, groups, deviation, vaes))
        progress = session.progress((len(points) + 2) * len(lengths))
        found: list[Measured] = []
        speeds = []
        for length in lengths:
            bench = _bench(loaded, tokenizer, length, session)
            progress.advance(1, f"{length} tokens are read")
            for point, costly in points:
                one = bench.measure(point, probes=4 if costly else None, asks=20 if costly else None)
                found.append(one)
                session.raw(**msgspec.to_builtins(one))
                progress.advance(1, f"{length} tokens, {point.name}: {one.smaller:.1f} times smaller")
            if length == min(lengths, key=lambda each: abs(each - LONG)):
                learned = _learned(keeping, groups, 0.25 * deviation)
                codecs = (Uniform(8, keeping.features), Uniform(4, keeping.features), learned)
                speeds = [codec_speed(each, bench.first, CHUNK) for each in codecs] + format_speeds(bench.first)
        control = _control(loaded, tokenizer, Path(place), session)
        progress.advance(len(lengths), "the negative control")
        sizes = list(_true_sizes())
    figures: dict[str, Any] = {
        "points": {
            str(length): {one.name: report.figures(one) for one in found if one.length == length} for length in lengths
        },
        "speeds": {one.name: msgspec.to_builtins(one) for one in speeds},
        "control": {one.name: report.figures(one) for one in control},
        "true_shapes": {f"{shape} {name}": round(smaller, 2) for shape, name, smaller in sizes},
    }
    for length in lengths:
        session.file(f"frontier-{length}.svg", report.frontier(found, length))
    return Outcome(
        figures=figures,
        goals=_goals(found, control),
        text=report.text(found, speeds, control, sizes, lengths),
        packages=("torch", "transformers", "zstandard"),
        environment={"weights": integrity.version(WEIGHTS)},
    )


def _bench(loaded: LoadedModel, tokenizer: Any, length: int, session: Session) -> Bench:
    few = session.quick
    return Bench(
        loaded,
        length,
        probes(tokenizer, length, 3 if few else 12, session.seed),
        asks(loaded, tokenizer, length, 2 if few else 10, session.seed),
    )


def _spread(loaded: LoadedModel, tokenizer: Any, count: int, seed: int) -> tuple[Any, float, Tensor]:
    """What the learned codecs are fitted to: conversations of the split that nothing is measured in."""
    features = Features.of(loaded)
    spread, every = Spread(features), []
    for messages in conversations(tokenizer, count, seed, Split.TRAIN):
        ids = ids_of(tokenizer, messages)[:2000]
        rows = features.rows(read(loaded, ids).piece(0, len(ids)), 0)
        spread.add(rows)
        every.append(rows)
    return *spread.groups(), torch.cat(every)


def _learned(keeping: Keeping, groups: Any, step: float) -> Learned:
    return Learned(Fit(groups, step), keeping.features)


def _points(keeping: Keeping, groups: Any, deviation: float, vaes: Sequence[TinyVae]) -> Iterator[tuple[Point, bool]]:
    """Each with whether it is tried on fewer contexts, because it takes long."""
    yield keeping.as_it_is("raw", lossless.RAW), False
    yield keeping.as_it_is("shuffle + zstd", lossless.NAME), False
    for bits in BITS:
        yield keeping.coded("so many bits", f"int{bits}", Uniform(bits, keeping.features)), False
    for step in STEPS:
        yield keeping.coded("learned", f"learned {step:g}", _learned(keeping, groups, step * deviation)), False
    for vae, latents in zip(vaes, LATENTS, strict=False):
        yield keeping.coded("tiny VAE", f"tiny VAE, {latents} latents", vae), False
    for scorer in ("recent", *SCORERS):
        for share in SHARES:
            yield keeping.pruned(scorer, share), scorer != "recent"
    for step, share in BOTH:
        codec = _learned(keeping, groups, step * deviation)
        yield keeping.both("reconstruct", share, codec, f"learned {step:g}"), True


def _control(loaded: LoadedModel, tokenizer: Any, place: Path, session: Session) -> list[Measured]:
    """int4 as it ships and int4 of turned keys by token, on a model with large key biases."""
    biased = with_large_biases(loaded)
    keeping = Keeping(biased, Keys(HostIdentity.load(place)))
    bench = _bench(biased, tokenizer, 500, session)
    points = (
        keeping.coded("control", "int4, biases taken out", Uniform(4, keeping.features)),
        keeping.coded("control", "int4 as they stand", Naive(keeping.features)),
    )
    return [bench.measure(point) for point in points]


def _true_sizes() -> Iterator[tuple[str, str, float]]:
    """(shape, codec, times smaller) for a chunk of noise: what does not hang on what the numbers are."""
    for level in levels.load("configs/levels.qwen.yaml").levels:
        shape = level.shape
        assert shape is not None
        generator = torch.Generator().manual_seed(0)
        data = torch.randn(shape.layers, 2, shape.kv_heads, CHUNK, shape.head_dim, generator=generator).bfloat16()
        for bits in BITS:
            packed = sum(map(len, Uniform(bits, random_weights.features(shape)).encode(data, CHUNK)))
            yield level.model, f"int{bits}", data.nbytes / packed


def _goals(found: Sequence[Measured], control: Sequence[Measured]) -> list[Goal]:
    long = sorted({one.length for one in found if one.length >= LONG})
    at_all = [max(_passing(found, length), default=0.0) for length in long]
    naive = next((one for one in control if one.name == "int4 as they stand"), None)
    best = round(min(at_all), 2) if at_all else None
    return [
        at_least(
            "smaller",
            "times smaller, all counted in, at 1,000 tokens and more; ≤ 1 % less likely, ≥ 98 % of answers kept",
            target=GOAL,
            measured=best,
        ),
        at_least("further", "the same, beyond it", target=FURTHER, measured=best),
        at_least(
            "control",
            "1 if the gates reject rounded turned keys of a model with large key biases",
            target=1,
            measured=None if naive is None else int(not naive.passes),
        ),
    ]


def _passing(found: Iterable[Measured], length: int) -> Iterator[float]:
    return (one.smaller for one in found if one.length == length and one.passes)
