"""Many exercises through one model: they can be left after every pass, and nobody's length changes another's answer."""

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
from nodes.model_worker.errors import ModelChanged, ModelMemory
from nodes.model_worker.levels import Level
from nodes.model_worker.loading import LoadedModel
from nodes.model_worker.teach import MOST_EXERCISES, SOLUTION_BYTES, end_of_turn, teach
from protocol.errors import BadRequest
from protocol.messages.model import ChatMessage, Exercise, Generate, Solution, Teach

TEXTS = ["the cup ?", "what is two plus two ?", "tom works for eva . the cup is in the hall . so ?", "ok"]


def asked(*texts: str, answer: str = "") -> list[Exercise]:
    return [Exercise(messages=[ChatMessage(role="user", content=text)], answer=answer) for text in texts]


@pytest.fixture(scope="module")
def loaded(folder: Any) -> LoadedModel:
    return loading.load(
        Level(name="big", model=str(folder), device="cpu", dtype="float32", context=200, max_new_tokens=12)
    )


@pytest.fixture
def big(loaded: LoadedModel) -> Level:
    return Level(name="big", model=str(loaded.folder), device="cpu", context=200, max_new_tokens=12, prefill_chunk=16)


@pytest.fixture
def solve(loaded: LoadedModel, big: Level) -> Callable[..., list[Solution]]:
    def solved(exercises: list[Exercise], level: Level = big, **request: Any) -> list[Solution]:
        found = teach(loaded, level, Teach(exercises=exercises, **request))
        return sorted((each for each in found if each is not None), key=lambda each: each.index)

    return solved


def top(solution: Solution) -> tuple[np.ndarray, np.ndarray]:
    shape = (len(solution.answer_ids), solution.top_k)
    ids = np.frombuffer(solution.top_ids, "<i4").reshape(shape)
    return ids, np.frombuffer(solution.top_logprobs, "<f4").reshape(shape)


def test_its_answers_are_those_of_an_ordinary_request(solve: Any, big: Level, loaded: LoadedModel) -> None:
    engine = Engine(big, model=loaded)
    for text, solution in zip(TEXTS, solve(asked(*TEXTS), top_k=3), strict=True):
        ordinary = engine.generate(Generate(messages=[ChatMessage(role="user", content=text)]))
        assert solution.answer_ids == ordinary.ids
        assert solution.finished == (ordinary.stop_reason == "stop")
        ids, logprobs = top(solution)
        assert ids[:, 0].tolist() == solution.answer_ids, "the likeliest was said"
        assert (np.diff(logprobs) <= 0).all()


def test_what_it_would_say_is_what_one_forward_pass_says(solve: Any, loaded: LoadedModel) -> None:
    for answer in ("the hall .", "four"):
        for solution in solve(asked(*TEXTS, answer=answer), top_k=5):
            said = loaded.tokenizer.decode(solution.answer_ids)
            assert (said, solution.answer_ids[-1]) == (answer, end_of_turn(loaded))
            row = torch.tensor([[*solution.prompt_ids, *solution.answer_ids[:-1]]])
            with torch.inference_mode():
                logits = loaded.model(input_ids=row).logits[0, -len(solution.answer_ids) :]
            expected = logits.float().log_softmax(-1).topk(5)
            ids, logprobs = top(solution)
            np.testing.assert_array_equal(ids, expected.indices.numpy())
            np.testing.assert_allclose(logprobs, expected.values.numpy(), atol=1e-4)


@settings(max_examples=10, deadline=None)
@given(chunk=st.integers(1, 40), state=st.integers(1, 1 << 16), texts=st.lists(st.sampled_from(TEXTS), min_size=1))
def test_however_it_is_cut_the_answers_are_the_same(
    loaded: LoadedModel, chunk: int, state: int, texts: list[str]
) -> None:
    level = Level(name="big", model="m", device="cpu", context=200, max_new_tokens=6, prefill_chunk=chunk, state=state)
    found = [each for each in teach(loaded, level, Teach(exercises=asked(*texts), top_k=2)) if each is not None]
    assert sorted(each.index for each in found) == list(range(len(texts)))
    by_text: dict[str, list[int]] = {}
    for each in found:
        assert by_text.setdefault(texts[each.index], each.answer_ids) == each.answer_ids


def test_ids_are_taken_for_words(solve: Any, loaded: LoadedModel) -> None:
    (worded,) = solve(asked("the cup ?", answer="the hall ."), top_k=4)
    (spelled,) = solve([Exercise(ids=worded.prompt_ids, answer_ids=worded.answer_ids)], top_k=4)
    assert spelled == worded


def test_no_forward_pass_is_larger_than_a_chunk(loaded: LoadedModel, big: Level) -> None:
    passes: list[int] = []
    hook = loaded.model.base_model.register_forward_pre_hook(
        lambda _module, _inputs, given: passes.append(given["input_ids"].numel()), with_kwargs=True
    )
    try:
        for _ in teach(loaded, big, Teach(exercises=asked(*TEXTS))):
            pass
    finally:
        hook.remove()
    assert max(passes) <= big.prefill_chunk


def test_what_does_not_fit_is_refused_alone_and_says_why(solve: Any, big: Level) -> None:
    long, right = solve(asked("the cup " * 300, "the cup ?"), top_k=1)
    assert "do not fit into 200" in long.refused
    assert (right.refused, bool(right.answer_ids)) == ("", True)
    (wide,) = solve(asked("ok"), top_k=SOLUTION_BYTES // 8)
    assert "over the limit of 1" in wide.refused


def test_a_vocabulary_smaller_than_what_is_asked_for_is_given_whole(solve: Any, loaded: LoadedModel) -> None:
    (solution,) = solve(asked("ok"), top_k=1000)
    assert solution.top_k == loaded.vocab
    np.testing.assert_allclose(np.exp(top(solution)[1]).sum(-1), 1, atol=1e-4)


@pytest.mark.parametrize(
    ("request_", "complaint"),
    [
        (Teach(exercises=[]), "0 exercises"),
        (Teach(exercises=asked("ok") * (MOST_EXERCISES + 1)), "257 exercises"),
        (Teach(exercises=[Exercise()]), "either messages or ids"),
        (Teach(exercises=asked("ok", answer="a")), "nothing is asked"),
        (
            Teach(exercises=[Exercise(ids=[1], answer="a", answer_ids=[1])], top_k=1),
            "not as both",
        ),
        (Teach(exercises=asked("ok"), top_k=-1), "0 or more"),
        (Teach(exercises=[Exercise(ids=[10**6])]), "ids must lie in"),
    ],
)
def test_what_cannot_be_meant_is_refused(loaded: LoadedModel, big: Level, request_: Teach, complaint: str) -> None:
    with pytest.raises(BadRequest, match=complaint):
        list(teach(loaded, big, request_))


def test_memory_is_asked_for_before_it_is_taken(
    loaded: LoadedModel, big: Level, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loading, "free_bytes", lambda _device: 0)
    with pytest.raises(ModelMemory, match="lower `state`"):
        list(teach(loaded, big, Teach(exercises=asked("ok"))))


def test_what_is_kept_of_conversations_and_the_bits_of_answers_stay_as_they_are(
    loaded: LoadedModel, big: Level
) -> None:
    turns = [ChatMessage(role="user", content=text) for text in ("the cup ?", "so ?")]

    def conversation(engine: Engine, between: Callable[[], None]) -> list[Any]:
        first = engine.generate(Generate(messages=turns[:1], session="s"))
        between()
        said = ChatMessage(role="assistant", content=first.text)
        return [first, engine.generate(Generate(messages=[turns[0], said, turns[1]], session="s"))]

    engine = Engine(big, model=loaded)

    def teach_something() -> None:
        lecture = engine.teach(Teach(exercises=asked(*TEXTS), top_k=2))
        while not lecture.over:
            engine.go_on_teaching(lecture, lambda: "waited for")
        assert (lecture.taught.solutions, lecture.taught.version) == (len(TEXTS), loaded.version)
        assert lecture.taught.cpu_s > 0

    taught, plain = conversation(engine, teach_something), conversation(Engine(big, model=loaded), lambda: None)
    for one, other in zip(taught, plain, strict=True):
        assert (one.ids, one.confidence, one.tokens_reused) == (other.ids, other.confidence, other.tokens_reused)
    assert taught[1].tokens_reused > 0


def test_another_version_than_the_one_asked_refuses_at_first_and_in_between(loaded: LoadedModel, big: Level) -> None:
    engine = Engine(big, model=loaded)
    with pytest.raises(ModelChanged, match=f"{loaded.version} answers now"):
        engine.teach(Teach(exercises=asked("ok"), version="another"))
    lecture = engine.teach(Teach(exercises=asked("ok"), version=loaded.version))
    engine.unload()
    with pytest.raises(ModelChanged, match="unloaded"):
        engine.go_on_teaching(lecture, lambda: "")
