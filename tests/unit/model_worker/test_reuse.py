"""Whatever was computed before, a request gets the logits and the greedy tokens of a cold computation."""

from collections.abc import Iterator, Sequence
from typing import Any

import pytest
import torch
from torch import Tensor

from nodes.model_worker.generation import decode, forward, prefill
from nodes.model_worker.kv.sessions import Sessions
from nodes.model_worker.sampling import Sampler, Sampling
from nodes.model_worker.text import TextStream

TOLERANCE = 1e-4
GREEDY = 16
SIZE = 16
FIRST = [7 * i % 290 + 3 for i in range(90)]

# Each case: requests (session, ids) in order, then what the last one may reuse.
CASES: dict[str, tuple[list[tuple[str, list[int]]], int]] = {
    "next turn": ([("a", FIRST), ("a", [*FIRST, 11, 12, 13])], 90),
    "edited earlier turn": ([("a", FIRST), ("a", [*FIRST[:30], 250, *FIRST[31:], 9])], 30),
    "regenerated answer": ([("a", FIRST), ("a", [*FIRST, 20, 21]), ("a", [*FIRST, 30, 31])], 90),
    "shorter context": ([("a", FIRST), ("a", FIRST[:40])], 39),
    "same context twice": ([("a", FIRST), ("a", FIRST)], 89),
    "one token": ([("a", FIRST), ("a", FIRST[:1])], 0),
    "another session that begins alike": ([("a", FIRST), ("b", [*FIRST[:50], 8])], 50),
    "another session": ([("a", FIRST), ("b", [8, *FIRST[:50]])], 0),
    "back to an earlier branch": ([("a", FIRST), ("a", [*FIRST[:60], 5, 6]), ("a", [*FIRST, 4])], 90),
    "evicted": (
        [("a", FIRST), *((name, [200 + n, *FIRST[:63]]) for n, name in enumerate("bcdefghijk")), ("a", [*FIRST, 4])],
        0,
    ),
}


def cold(model: Any, ids: Sequence[int]) -> Iterator[Tensor]:
    """Logits of `ids` and of its greedy continuation, each from nothing."""
    ids = list(ids)
    for _ in range(GREEDY):
        logits = model(input_ids=torch.tensor([ids]), use_cache=False).logits[0, -1]
        yield logits
        ids.append(int(logits.argmax()))


def answer(model: Any, sessions: Sessions, name: str, ids: list[int]) -> tuple[int, list[Tensor]]:
    """(tokens reused, logits along the greedy answer)."""
    with sessions.use(name) as session:
        reused = sessions.lay(session, ids).reused
        sessions.make_room(len(ids) + GREEDY)
        logits = prefill(model, sessions.state, ids[reused:], chunk=SIZE, interrupted=lambda: "")
        assert logits is not None
        seen = [logits]
        while len(seen) < GREEDY:
            seen.append(forward(model, sessions.state, [int(seen[-1].argmax())]))
    return reused, seen


@pytest.mark.parametrize("case", CASES)
def test_reuse_gives_the_logits_and_tokens_of_a_cold_computation(model: Any, case: str) -> None:
    requests, reusable = CASES[case]
    per_token = 2 * 2 * 2 * 8 * 4
    now = 0.0
    sessions = Sessions(layers=2, budget=4 * 128 * per_token, bytes_per_token=per_token, size=SIZE, seconds=lambda: now)
    for now, (name, ids) in enumerate(requests):  # noqa: B007 - read by the clock
        reused, warm = answer(model, sessions, name, ids)
    assert reused == reusable
    for index, expected in enumerate(cold(model, ids)):
        torch.testing.assert_close(warm[index], expected, atol=TOLERANCE, rtol=0)
        assert warm[index].argmax() == expected.argmax()


def test_the_same_schedule_of_chunks_is_equal_to_the_last_bit(model: Any) -> None:
    """Reuse up to a chunk boundary and going on is what a cold prefill does from there."""
    sessions = Sessions(layers=2, budget=1 << 30, bytes_per_token=1, size=SIZE)
    with sessions.use("a") as session:
        sessions.lay(session, FIRST)
        first = prefill(model, sessions.state, FIRST, chunk=SIZE, interrupted=lambda: "")
        sessions.state.truncate(64)
        again = prefill(model, sessions.state, FIRST[64:], chunk=SIZE, interrupted=lambda: "")
    assert first is not None
    assert again is not None
    assert torch.equal(first, again)


@pytest.mark.parametrize("kind", ["llama", "gpt2", "phi3"])
def test_other_architectures_reuse_as_exactly(kind: str) -> None:
    from transformers import AutoConfig, AutoModelForCausalLM

    shape = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "vocab_size": 300}
    extra = {} if kind == "gpt2" else {"intermediate_size": 64, "num_key_value_heads": 2}
    torch.manual_seed(0)
    tokens = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2, "initializer_range": 0.3}
    config = AutoConfig.for_model(kind, **shape, **extra, **tokens)
    other = AutoModelForCausalLM.from_config(config).eval().requires_grad_(requires_grad=False)
    sessions = Sessions(layers=2, budget=1 << 30, bytes_per_token=1, size=SIZE)
    answer(other, sessions, "a", FIRST)
    reused, warm = answer(other, sessions, "a", [*FIRST[:70], 5, 6])
    assert reused == 70
    for index, expected in enumerate(cold(other, [*FIRST[:70], 5, 6])):
        torch.testing.assert_close(warm[index], expected, atol=TOLERANCE, rtol=0)


def test_a_second_turn_forwards_only_what_is_new(model: Any) -> None:
    sessions = Sessions(layers=2, budget=1 << 30, bytes_per_token=1, size=SIZE)
    answer(model, sessions, "a", FIRST)
    forwarded: list[int] = []

    class Counting:
        device = model.device

        def __call__(self, input_ids: Tensor, **rest: Any) -> Any:
            forwarded.append(input_ids.shape[1])
            return model(input_ids=input_ids, **rest)

    with sessions.use("a") as session:
        sessions.lay(session, [*session.ids, 1, 2, 3])
        state = sessions.state
        held = len(state.ids)
        logits = prefill(Counting(), state, [1, 2, 3], chunk=64, interrupted=lambda: "")
        assert logits is not None
        steps = decode(
            Counting(),
            state,
            logits,
            sampler=Sampler(Sampling()),
            text=TextStream(lambda _: ""),
            stop_ids=(),
            limit=4,
            interrupted=lambda: "",
        )
        assert len(list(steps)) == 4
        assert len(state.ids) == held + 6
    assert forwarded == [3, 1, 1, 1]
