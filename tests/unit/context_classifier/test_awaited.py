"""Encoders whose vectors come from elsewhere."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest

from nodes.context_classifier import encoder, fits
from nodes.context_classifier.awaited import REMEMBERED, Awaited, EncoderUnavailable, by_model
from nodes.context_classifier.classifier import Classifier
from nodes.context_classifier.config import ContextConfig
from nodes.context_classifier.encoder import Choice, Hashed
from nodes.context_classifier.fits import FitMissing
from nodes.context_classifier.memory import LONGEST
from nodes.context_classifier.vectors import similarity
from protocol.errors import ConfigError, UnknownNode
from protocol.messages.context import Classify, ExplainContext, ScoreExchange
from tests.unit.context_classifier.fitted import DIMENSIONS, Worker, awaited, fit


@pytest.fixture
def worker() -> Worker:
    return Worker()


@pytest.fixture
def model() -> Awaited:
    return Awaited("model", by_model, Hashed(), fit())


@pytest.fixture
def choice(tmp_path: Path) -> Choice:
    path = tmp_path / "model.json"
    path.write_bytes(msgspec.json.encode(fit()))
    return Choice(name="model", fit=str(path))


async def test_a_vector_is_what_a_model_makes_of_the_text_beside_its_written_features(
    model: Awaited, worker: Worker
) -> None:
    await model.read("where is the cup", worker.embed)
    found = model.encode("where is the cup")
    assert found.shape == (Hashed.dimensions + DIMENSIONS,) == (model.dimensions,)
    assert np.linalg.norm(found) == pytest.approx(1)
    assert similarity(found[: Hashed.dimensions], Hashed().encode("where is the cup")) == pytest.approx(1)
    assert float(found[model.meaning] @ found[model.meaning]) == pytest.approx(0.5 / 1.5)


async def test_the_same_text_is_not_asked_for_twice_and_what_was_not_asked_for_is_not_known(
    model: Awaited, worker: Worker
) -> None:
    for _ in range(2):
        await model.read("where is the cup", worker.embed)
    assert [asked.texts for asked in worker.asked] == [["where is the cup"]]
    with pytest.raises(EncoderUnavailable, match="not read before"):
        model.encode("where is the pen")


async def test_only_the_beginning_of_a_very_long_text_is_sent(model: Awaited, worker: Worker) -> None:
    await model.read("x" * (LONGEST + 5), worker.embed)
    assert [asked.texts for asked in worker.asked] == [["x" * LONGEST]]
    assert model.encode("x" * LONGEST).any()


async def test_so_many_texts_are_remembered_and_no_more(model: Awaited, worker: Worker) -> None:
    for number in range(REMEMBERED + 3):
        await model.read(str(number), worker.embed)
    assert model.encode("3").any()
    with pytest.raises(EncoderUnavailable):
        model.encode("2")


async def test_another_version_of_the_model_makes_other_vectors(model: Awaited, worker: Worker) -> None:
    await model.read("a", worker.embed)
    before = model.fingerprint
    worker.version, worker.adapter = "v2", "learned"
    await model.read("b", worker.embed)
    assert model.fingerprint != before
    assert model.fingerprint.endswith("v2/learned")
    with pytest.raises(EncoderUnavailable):
        model.encode("a")


async def test_vectors_of_weights_that_nothing_is_fitted_to_are_refused_with_the_command(
    model: Awaited, worker: Worker
) -> None:
    worker.base = "other"
    with pytest.raises(EncoderUnavailable, match="sage context fit --encoder model"):
        await model.read("a", worker.embed)


async def test_that_a_model_does_not_answer_comes_through(model: Awaited, worker: Worker) -> None:
    worker.fails = UnknownNode("nobody is here")
    with pytest.raises(UnknownNode):
        await model.read("a", worker.embed)


def test_without_a_fit_the_encoder_is_refused_with_the_command(tmp_path: Path) -> None:
    missing = Choice(name="model", fit=str(tmp_path / "none.json"))
    with pytest.raises((FitMissing, ConfigError), match=r"none\.json"):
        encoder.chosen(missing)


@pytest.mark.parametrize("data", [b"", b"{}", b"\xff", msgspec.json.encode(fit("sentence"))])
def test_a_fit_that_is_none_is_refused_with_the_command(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "model.json"
    path.write_bytes(data)
    with pytest.raises(FitMissing, match="sage context fit --encoder model"):
        fits.load("model", str(path))


def test_a_fit_with_a_part_cut_off_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.json"
    path.write_bytes(msgspec.json.encode(msgspec.structs.replace(fit(), axes=fit().axes[:-2])))
    with pytest.raises(FitMissing, match="bytes of axes"):
        fits.load("model", str(path))


def test_unit_vectors_come_out_of_a_fit_and_nothing_comes_of_nothing() -> None:
    made = fit()
    assert np.linalg.norm(made.scaled(np.ones(6, dtype=np.float32))) == pytest.approx(1)
    assert not made.scaled(np.zeros(6, dtype=np.float32)).any()


# In the classifier


async def heard(classifier: Classifier, worker: Worker, text: str) -> str:
    model = classifier.memory.encoder
    assert isinstance(model, Awaited)
    await model.read(text, worker.embed)
    left = classifier.follow_encoder()
    classifier.classify(Classify(text=text, session="s"))
    return left


def score(classifier: Classifier) -> None:
    classifier.score(
        ScoreExchange(exchange="e", session="s", question="a", answer="b", context="stable", confidence=0.5)  # type: ignore[arg-type]
    )


async def test_a_promotion_in_between_begins_the_memory_anew_and_keeps_the_salience(
    choice: Choice, worker: Worker
) -> None:
    classifier = Classifier(ContextConfig(encoder=choice))
    assert [await heard(classifier, worker, text) for text in "ab"] == ["", ""]
    score(classifier)
    worker.version = "v2"
    assert "now there is" in await heard(classifier, worker, "c")
    stats = classifier.stats()
    assert (stats["begun_anew"], stats["clusters"], stats["exchanges"]) == (1, 1, 1)
    assert await heard(classifier, worker, "d") == ""


async def test_a_memory_goes_on_after_a_restart_if_the_same_model_answers(choice: Choice, worker: Worker) -> None:
    config = ContextConfig(encoder=choice)
    before = Classifier(config)
    await heard(before, worker, "a")
    after = Classifier.restored(config, before.save())
    assert not after.left
    assert await heard(after, worker, "a") == ""
    assert after.explain(ExplainContext(text="a", session="s")).repeats == 2


async def test_a_memory_begins_anew_after_a_restart_if_another_model_answers(choice: Choice, worker: Worker) -> None:
    config = ContextConfig(encoder=choice)
    before = Classifier(config)
    await heard(before, worker, "a")
    score(before)
    after = Classifier.restored(config, before.save())
    worker.version = "v2"
    assert "now there is" in await heard(after, worker, "b")
    assert (after.stats()["inputs"], after.stats()["exchanges"]) == (1, 1)


async def test_explaining_says_what_read_the_text(choice: Choice, worker: Worker) -> None:
    classifier = Classifier(ContextConfig(encoder=choice))
    await heard(classifier, worker, "a")
    found = classifier.explain(ExplainContext(text="a", session="s"))
    assert found.encoder == "model"
    assert found.fingerprint.endswith("/v1/own")


def test_an_awaited_encoder_of_one_origin_is_comparable_with_itself() -> None:
    assert awaited().assume(f"{awaited().kind}/anything")
    assert not awaited().assume("tokens/1")
