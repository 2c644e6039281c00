import math
from collections.abc import Sequence
from typing import Any

import pytest
import torch

from nodes.model_worker.confidence import confidence
from nodes.model_worker.generation import Step, chunks, decode, prefill
from nodes.model_worker.kv.state import AttentionState
from nodes.model_worker.sampling import Sampler, Sampling
from nodes.model_worker.text import TextStream

PROMPT = [5, 17, 40, 8, 99, 120, 33]


def letters(ids: list[int]) -> str:
    return "".join(chr(0x100 + token) for token in ids)


def never() -> str:
    return ""


def run(
    model: Any, *, limit: int = 6, stop: Sequence[str] = (), stop_ids: Sequence[int] = (), interrupted: Any = never
) -> tuple[AttentionState, list[Step]]:
    state = AttentionState(model.config.num_hidden_layers, 16)
    logits = prefill(model, state, PROMPT, chunk=4, interrupted=never)
    assert logits is not None
    steps = decode(
        model,
        state,
        logits,
        sampler=Sampler(Sampling()),
        text=TextStream(letters, stop),
        stop_ids=stop_ids,
        limit=limit,
        interrupted=interrupted,
    )
    return state, list(steps)


def test_greedy_generation_is_what_transformers_would_generate(model: Any) -> None:
    _, steps = run(model, limit=12)
    expected = model.generate(
        torch.tensor([PROMPT]), max_new_tokens=12, do_sample=False, eos_token_id=-1, pad_token_id=0
    )
    assert [step.id for step in steps] == expected[0, len(PROMPT) :].tolist()


def test_at_the_limit_it_stops_for_length_and_the_last_token_is_not_computed(model: Any) -> None:
    state, steps = run(model)
    assert [step.stop for step in steps] == [""] * 5 + ["length"]
    assert state.ids == PROMPT + [step.id for step in steps[:-1]]


def test_a_stop_id_ends_the_answer_and_is_not_part_of_its_text(model: Any) -> None:
    _, free = run(model)
    _, steps = run(model, stop_ids=[free[2].id])
    first = [step.id for step in free].index(free[2].id)
    assert [step.id for step in steps] == [step.id for step in free[: first + 1]]
    assert (steps[-1].stop, steps[-1].text) == ("stop", "")


def test_a_stop_text_ends_the_answer_before_it(model: Any) -> None:
    _, free = run(model)
    stop = free[2].text + free[3].text
    _, steps = run(model, stop=[stop])
    text = "".join(step.text for step in steps)
    assert steps[-1].stop == "stop"
    assert "".join(step.text for step in free).startswith(text + stop)


@pytest.mark.parametrize("reason", ["cancelled", "deadline"])
def test_an_interruption_ends_with_the_token_at_hand(model: Any, reason: str) -> None:
    answers = iter(["", "", reason])
    _, steps = run(model, interrupted=lambda: next(answers))
    assert [step.stop for step in steps] == ["", "", reason]


def test_held_back_text_comes_with_the_last_token_however_it_ends(model: Any) -> None:
    _, free = run(model)
    beginning = free[-1].text + "never said"
    _, steps = run(model, stop=[beginning])
    assert "".join(step.text for step in steps) == "".join(step.text for step in free)


def test_an_interrupted_prefill_keeps_the_chunks_it_has_computed(model: Any) -> None:
    state = AttentionState(model.config.num_hidden_layers, 16)
    answers = iter(["", "cancelled"])
    assert prefill(model, state, PROMPT, chunk=4, interrupted=lambda: next(answers)) is None
    assert state.ids == PROMPT[:4]


@pytest.mark.parametrize(
    ("start", "end", "spans"),
    [(0, 10, [(0, 4), (4, 8), (8, 10)]), (3, 9, [(3, 4), (4, 8), (8, 9)]), (4, 5, [(4, 5)]), (5, 5, [])],
)
def test_chunks_end_at_absolute_boundaries(start: int, end: int, spans: list[tuple[int, int]]) -> None:
    assert list(chunks(start, end, 4)) == spans


def test_confidence_is_the_geometric_mean_of_the_average_and_the_least_probability() -> None:
    assert confidence([]) == 0.0
    assert confidence([0.0, 0.0]) == 1.0
    assert confidence([math.log(0.25)]) == pytest.approx(0.25)
    assert confidence([math.log(0.9), math.log(0.1)]) == pytest.approx(math.sqrt(math.sqrt(0.09) * 0.1))


def test_one_doubtful_token_lowers_confidence_and_length_alone_does_not() -> None:
    sure = [math.log(0.9)] * 5
    assert confidence(sure * 4) == pytest.approx(confidence(sure))
    assert confidence([*sure, math.log(0.01)]) < 0.3
