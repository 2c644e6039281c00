"""Contexts are held out and hold what they say; points count every byte; the control says what the model says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from experiments.codec import report, vae
from experiments.codec.bench import _true_sizes
from experiments.codec.control import Naive, with_large_biases
from experiments.codec.measure import Bench, Measured, codec_speed, format_speeds
from experiments.codec.points import CHUNK, Given, Keeping
from experiments.reference.contexts import REST, Ask, asks, probes
from experiments.reference.evaluate import load
from experiments.reference.family import SIZES
from nodes.model_worker import levels, loading
from nodes.model_worker.kv.chunkfile import Keys
from nodes.model_worker.kv.codecs import lossless
from nodes.model_worker.kv.codecs.uniform import Uniform
from nodes.model_worker.loading import LoadedModel
from nodes.model_worker.reading import forward_all, likeness, read
from runtime.identity import HostIdentity


@pytest.fixture(scope="module")
def loaded() -> LoadedModel:
    return loading.load(levels.load().by_name("sensory"))


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    return load(SIZES["sensory"].folder)[1]


@pytest.fixture(scope="module")
def keeping(loaded: LoadedModel, tmp_path_factory: pytest.TempPathFactory) -> Keeping:
    return Keeping(loaded, Keys(HostIdentity.load(tmp_path_factory.mktemp("state"))))


@pytest.fixture(scope="module")
def asked(loaded: LoadedModel, tokenizer: Any) -> list[Ask]:
    return asks(loaded, tokenizer, 300, 4, seed=1)


def given(loaded: LoadedModel, ids: list[int]) -> Given:
    return Given(ids, read(loaded, ids).piece(0, len(ids)))


def test_a_conversation_goes_on_for_as_long_as_it_says(tokenizer: Any) -> None:
    short, long = probes(tokenizer, 160, 2, seed=1), probes(tokenizer, 2000, 2, seed=1)
    assert [(len(each.told), len(each.rest)) for each in short] == [(160, REST)] * 2
    assert all(1500 < len(each.told) <= 2000 and len(each.rest) == REST for each in long)
    assert probes(tokenizer, 160, 2, seed=1) == short != probes(tokenizer, 160, 2, seed=2)


def test_questions_are_those_that_the_model_answers_rightly_and_greedily(loaded: LoadedModel, asked: list[Ask]) -> None:
    assert asked
    for ask in asked:
        logits = forward_all(loaded, read(loaded, ask.told), ask.rest)
        assert logits[-len(ask.said) :].argmax(-1).tolist() == ask.said
        assert len(ask.told) + len(ask.rest) - len(ask.said) < 330


def test_everything_of_a_file_is_counted_in(loaded: LoadedModel, keeping: Keeping, tokenizer: Any) -> None:
    (probe,) = probes(tokenizer, 160, 1, seed=1)
    context = given(loaded, probe.told)
    raw = keeping.as_it_is("raw", lossless.RAW).keep(context)
    assert torch.equal(raw.state.piece(0, 160), context.data)
    assert context.data.nbytes < raw.nbytes < context.data.nbytes + 2 * 2000
    fewer = keeping.coded("x", "int4", Uniform(4, keeping.features)).keep(context)
    assert fewer.nbytes < raw.nbytes / 3
    half = keeping.pruned("recent", 0.5).keep(context)
    assert len(half.state.ids) == 80
    assert half.state.gone == [(4, 84)]


def test_a_point_is_measured_on_all_depths_and_rejected_where_it_loses_answers(
    loaded: LoadedModel, keeping: Keeping, tokenizer: Any, asked: list[Ask]
) -> None:
    bench = Bench(loaded, 300, probes(tokenizer, 300, 1, seed=1), asked)
    whole = bench.measure(keeping.as_it_is("raw", lossless.RAW))
    assert (whole.kept, whole.same, whole.excess_nll, whole.passes) == (1.0, 1.0, 0.0, True)
    little = bench.measure(keeping.pruned("recent", 0.1))
    assert little.kept < 0.5
    assert not little.passes
    assert little.kl > whole.kl
    assert report.frontier([whole, little], 300).startswith(b"<svg")
    shown = report.text([whole, little], [], [little], [("0.5B", "int8", 2.0)], [300])
    assert "| recent 10× |" in shown


def test_the_model_with_large_biases_says_the_same_and_rounded_turned_keys_ruin_it(
    loaded: LoadedModel, keeping: Keeping, tokenizer: Any, tmp_path: Path
) -> None:
    (probe,) = probes(tokenizer, 160, 1, seed=1)
    biased = with_large_biases(loaded)
    own, other = (forward_all(each, read(each, probe.told), probe.rest) for each in (loaded, biased))
    assert likeness([own], [other], [probe.rest]).same > 0.95
    again = Keeping(biased, Keys(HostIdentity.load(tmp_path)))
    bench = Bench(biased, 160, [probe], [])
    good, bad = (
        bench.measure(again.coded("x", codec.name, codec))
        for codec in (Uniform(4, again.features), Naive(again.features))
    )
    assert good.excess_nll < 0.05 < bad.excess_nll


def test_speeds_and_sizes_are_told(loaded: LoadedModel, keeping: Keeping, tokenizer: Any, tmp_path: Path) -> None:
    (probe,) = probes(tokenizer, 160, 1, seed=1)
    context = given(loaded, probe.told)
    fast = codec_speed(Uniform(8, keeping.features), context, CHUNK, rounds=1)
    assert fast.name == "int8"
    assert {one.name for one in format_speeds(context, rounds=1)} == {"pickle", "gzip(pickle)", "torch.save"}
    sizes = {(shape, codec): smaller for shape, codec, smaller in _true_sizes()}
    assert all(1.8 < smaller < 2.4 for (_, codec), smaller in sizes.items() if codec == "int8")
    assert all(3.2 < smaller < 4.8 for (_, codec), smaller in sizes.items() if codec == "int4")


def test_a_point_that_was_not_measured_passes_nothing() -> None:
    one = Measured(
        family="x", name="x", length=1000, smaller=20.0, excess_nll=0.02, kl=0.0, kl_p99=0.0, same=1.0, greedy=1.0,
        kept=1.0, kept_by_depth={}, asked=0,
    )  # fmt: skip
    assert not one.passes


def test_a_tiny_autoencoder_gives_back_what_it_was_trained_on(
    loaded: LoadedModel, keeping: Keeping, tokenizer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vae, "STEPS", 60)
    (probe,) = probes(tokenizer, 500, 1, seed=1)
    context = given(loaded, probe.told)
    rows = keeping.features.rows(context.data, 0)
    small = vae.TinyVae(keeping.features, rows, 16, seed=1)
    parts = small.encode(context.data, 0)
    found = torch.stack(list(small.decode(parts, len(probe.told), 0)))
    assert sum(map(len, parts)) < context.data.nbytes / 8
    assert torch.equal(found[..., :4, :].bfloat16(), context.data[..., :4, :])
    left = keeping.features.rows(found, 0) - rows
    assert float(left.square().mean()) < 0.8 * float((rows - rows.mean(0)).square().mean())
