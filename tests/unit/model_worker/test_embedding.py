"""Texts as vectors: nobody's company changes them, and nothing that is kept of conversations notices."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nodes.model_worker import loading
from nodes.model_worker.engine import Engine
from nodes.model_worker.errors import ContextTooLong, ModelChanged, ModelMemory, ModelUnloaded
from nodes.model_worker.learned import Learned
from nodes.model_worker.levels import Level
from nodes.model_worker.loading import LoadedModel
from protocol.messages.model import ChatMessage, Embed, Embedded, Generate

TEXTS = ["the cup ?", "what is two plus two ?", "tom works for eva . the cup is in the hall . so ?", "ok"]


@pytest.fixture(scope="module")
def loaded(folder: Any) -> LoadedModel:
    return loading.load(
        Level(name="big", model=str(folder), device="cpu", dtype="float32", context=200, max_new_tokens=12)
    )


def level(loaded: LoadedModel, **changes: Any) -> Level:
    given = {"device": "cpu", "dtype": "float32", "context": 200, "max_new_tokens": 12, "prefill_chunk": 16, **changes}
    return Level(name="big", model=str(loaded.folder), **given)


@pytest.fixture
def engine(loaded: LoadedModel) -> Engine:
    return Engine(level(loaded), model=loaded)


def read(engine: Engine, *texts: str, **request: Any) -> Embedded:
    reading = engine.embed(Embed(texts=list(texts), **request))
    while not reading.over:
        engine.go_on_reading(reading)
    return reading.embedded


def vectors(embedded: Embedded) -> np.ndarray:
    return np.frombuffer(embedded.vectors, "<f4").reshape(-1, embedded.dimensions)


def test_a_vector_is_the_means_of_the_first_and_the_last_hidden_states(engine: Engine, loaded: LoadedModel) -> None:
    embedded = read(engine, *TEXTS)
    assert (embedded.version, embedded.adapter, embedded.base) == (loaded.version, "", loaded.fingerprint["weights"])
    for vector, text, tokens in zip(vectors(embedded), TEXTS, embedded.tokens, strict=True):
        ids = loaded.tokenizer.encode(text).ids
        with torch.inference_mode():
            found = loaded.model.base_model(input_ids=torch.tensor([ids]), output_hidden_states=True)
        means = [found.hidden_states[at][0].mean(0).numpy() for at in (0, -1)]
        expected = np.concatenate([mean / np.linalg.norm(mean) for mean in means]) / np.sqrt(2)
        np.testing.assert_allclose(vector, expected, atol=1e-5)
        assert tokens == len(ids)
    assert embedded.cpu_s > 0


@settings(max_examples=20, deadline=None)
@given(texts=st.lists(st.sampled_from(TEXTS), min_size=1, max_size=6))
def test_a_text_has_the_same_bits_alone_and_among_others(loaded: LoadedModel, texts: list[str]) -> None:
    engine = Engine(level(loaded), model=loaded)
    together = vectors(read(engine, *texts))
    for row, text in zip(together, texts, strict=True):
        assert row.tobytes() == read(engine, text).vectors


def test_a_long_text_is_read_in_passes_no_larger_than_a_chunk(engine: Engine, loaded: LoadedModel) -> None:
    passes: list[int] = []
    hook = loaded.model.base_model.register_forward_pre_hook(
        lambda _module, _inputs, given: passes.append(given["input_ids"].numel()), with_kwargs=True
    )
    text = "the cup is in the hall . " * 5
    try:
        cut = vectors(read(engine, text))
    finally:
        hook.remove()
    assert len(passes) > 1
    assert max(passes) <= 16
    whole = vectors(read(Engine(level(loaded, prefill_chunk=200), model=loaded), text))
    np.testing.assert_allclose(cut, whole, atol=1e-5)


def test_a_text_without_a_token_has_no_direction(engine: Engine) -> None:
    embedded = read(engine, "", "ok")
    assert not vectors(embedded)[0].any()
    assert np.linalg.norm(vectors(embedded)[1]) == pytest.approx(1)


def test_kept_state_and_the_bits_of_answers_stay_as_they_are(loaded: LoadedModel) -> None:
    turns = [ChatMessage(role="user", content=text) for text in ("the cup ?", "so ?")]

    def conversation(between: Callable[[Engine], Any]) -> list[Any]:
        engine = Engine(level(loaded), model=loaded)
        first = engine.generate(Generate(messages=turns[:1], session="s"))
        before = engine.info()
        between(engine)
        assert engine.info() == before
        said = ChatMessage(role="assistant", content=first.text)
        return [first, engine.generate(Generate(messages=[turns[0], said, turns[1]], session="s"))]

    read_between, plain = conversation(lambda engine: read(engine, *TEXTS)), conversation(lambda _: None)
    for one, other in zip(read_between, plain, strict=True):
        assert (one.ids, one.confidence, one.tokens_reused) == (other.ids, other.confidence, other.tokens_reused)
    assert read_between[1].tokens_reused > 0


def test_a_text_over_the_context_is_refused_with_the_limit(engine: Engine) -> None:
    with pytest.raises(ContextTooLong, match=r"texts\[1\].*limit of 200") as refused:
        read(engine, "ok", "the cup " * 300)
    assert refused.value.detail["limit"] == 200


def test_memory_is_asked_for_before_it_is_taken(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "free_bytes", lambda _device: 0)
    with pytest.raises(ModelMemory, match="send a shorter text"):
        read(engine, "ok")


def test_no_model_is_loaded_for_who_does_not_want_that(engine: Engine) -> None:
    with pytest.raises(ModelUnloaded, match="wants none loaded"):
        read(engine, "ok", load=False)
    assert not engine.loaded
    read(engine, "ok")
    assert read(engine, "ok", load=False).vectors


def test_another_version_than_the_one_asked_refuses_at_first_and_in_between(
    engine: Engine, loaded: LoadedModel
) -> None:
    with pytest.raises(ModelChanged, match=f"{loaded.version} answers now"):
        read(engine, "ok", version="another")
    reading = engine.embed(Embed(texts=["ok"], version=loaded.version))
    engine.unload()
    with pytest.raises(ModelChanged, match="unloaded"):
        engine.go_on_reading(reading)


def test_learned_weights_are_told_with_those_they_were_learned_from(engine: Engine, loaded: LoadedModel) -> None:
    engine._learned = Learned(loaded.folder, "learned", "base")
    embedded = read(engine, "ok")
    assert (embedded.adapter, embedded.base) == ("learned", "base")
