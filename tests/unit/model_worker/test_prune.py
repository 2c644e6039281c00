"""Tokens dropped from between others: what is left answers as a computation that never saw the others after that."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from nodes.model_worker import generation, loading
from nodes.model_worker.engine import Engine
from nodes.model_worker.errors import ContextTooLong, ModelMemory
from nodes.model_worker.kv.chunkfile import Keys
from nodes.model_worker.kv.layer import GrowingLayer
from nodes.model_worker.kv.pruning import recent as prune
from nodes.model_worker.kv.state import AttentionState
from nodes.model_worker.kv.vault import Vault
from nodes.model_worker.levels import Level
from nodes.model_worker.memory import HEADROOM
from protocol.errors import BadRequest
from protocol.messages.model import Generate, Generated
from runtime.identity import HostIdentity
from tests.unit.model_worker.test_architectures import GROUPED, SHAPE

KINDS: dict[str, dict[str, Any]] = {
    "qwen2": GROUPED,
    "gpt2": {},
    "llama": GROUPED,
    "phi3": GROUPED,
    "mistral": {**GROUPED, "sliding_window": None},
}
BEFORE, AFTER = [7 * i % 290 + 3 for i in range(40)], [5, 6, 7, 8, 9]


@pytest.mark.parametrize(("tokens", "room"), [(3, 5), (5, 5), (20, 8), (20, 3), (20, 1)])
def test_the_first_and_the_last_stay(tokens: int, room: int) -> None:
    kept = prune.kept(tokens, room)
    assert kept == sorted(set(kept))
    assert len(kept) == min(tokens, room)
    assert kept[: prune.SINKS] == list(range(min(prune.SINKS, room, tokens)))
    assert set(kept[prune.SINKS :]) <= set(range(tokens - room, tokens))


@pytest.mark.parametrize("kind", KINDS)
def test_a_pruned_state_goes_on_as_if_only_what_is_kept_could_be_seen(kind: str) -> None:
    from transformers import AutoConfig, AutoModelForCausalLM

    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(AutoConfig.for_model(kind, **SHAPE, **KINDS[kind])).eval().double()
    kept = [0, 1, 2, 3, 11, 17, *range(25, 40)]
    state = AttentionState(2, 16)
    generation.forward(model, state, BEFORE)
    state.prune(kept)
    assert (state.position, state.pruned, state.ids) == (40, 19, [BEFORE[place] for place in kept])
    found = [
        generation.forward(model, state, AFTER[:3]),
        *(generation.forward(model, state, [each]) for each in AFTER[3:]),
    ]
    expected = masked(model, kept)
    for ours, theirs in zip(found, expected[2:], strict=True):
        torch.testing.assert_close(ours, theirs.float(), atol=4e-6, rtol=0)
    everything = model(input_ids=torch.tensor([BEFORE + AFTER])).logits[0, -1]
    assert (found[-1] - everything).abs().max() > 1e-3, "what was dropped mattered"


@torch.inference_mode()
def masked(model: Any, kept: list[int]) -> Tensor:
    """Logits after each of AFTER, computed all at once, where these see only `kept` of BEFORE."""
    total = len(BEFORE) + len(AFTER)
    seen = torch.ones(total, total, dtype=torch.bool).tril()
    dropped = sorted(set(range(len(BEFORE))) - set(kept))
    for query in range(len(BEFORE), total):
        seen[query, dropped] = False
    mask = torch.zeros(total, total).double().masked_fill(~seen, torch.finfo(torch.float64).min)[None, None]
    output = model(input_ids=torch.tensor([BEFORE + AFTER]), attention_mask=mask)
    return output.logits[0, len(BEFORE) :]  # type: ignore[no-any-return]


def test_a_pruned_state_is_not_cold_and_has_no_beginning(model: Any) -> None:
    state = AttentionState(model.config.num_hidden_layers, 16)
    generation.prefill(model, state, BEFORE, chunk=16, interrupted=lambda: "")
    assert state.cold == 32
    state.prune([0, 1, 38, 39])
    assert state.cold == 0
    with pytest.raises(ValueError, match="no beginning to go back to"):
        state.truncate(2)


@pytest.mark.parametrize("room", [24, 33, 64])
def test_no_more_is_ever_held_than_there_is_room_for(model: Any, room: int) -> None:
    state = AttentionState(model.config.num_hidden_layers, 16)
    held = []
    ids = [7 * i % 290 + 3 for i in range(150)]
    forward = generation.prefill(
        model, state, ids, chunk=16, interrupted=lambda: held.append(len(state.ids)) or "", room=room
    )
    assert forward is not None
    for token in range(30):
        generation.make_room(state, 1, room)
        generation.forward(model, state, [token + 3])
        held.append(len(state.ids))
    assert max(held) <= room
    assert state.position == 180
    assert state.ids[: prune.SINKS] == ids[: prune.SINKS]


def asked(tokens: int, **how: Any) -> Generate:
    ids = [7 * i % 290 + 3 for i in range(tokens)]
    return Generate(ids=ids, session="s", max_new_tokens=8, **how)


def with_little_memory(engine: Engine, request: Generate, tokens: int) -> Generated:
    needs = engine.load().needs
    with pytest.MonkeyPatch.context() as little:
        free = needs.request(tokens, held=0, capacity=0) + HEADROOM
        little.setattr(loading, "free_bytes", lambda _device: free)
        return engine.generate(request)


def test_a_conversation_that_memory_is_too_small_for_is_pruned_where_that_is_allowed(level: Level) -> None:
    engine = Engine(level)
    with pytest.raises(ContextTooLong, match="the limit is 92 tokens now"):
        with_little_memory(engine, asked(200), 100)
    answer = with_little_memory(engine, asked(200, overflow="prune"), 100)
    assert answer.tokens_generated == 8
    assert (answer.tokens_computed, answer.exactness) == (200, "pruned")
    assert answer.tokens_pruned >= 200 + 7 - 100
    assert sum(end - start for start, end in answer.spans_pruned) == answer.tokens_pruned
    again = engine.generate(asked(200))
    assert (again.tokens_reused, again.exactness, again.tokens_pruned) == (0, "cold", 0), "nothing pruned was kept"


def test_what_was_written_down_before_stays_when_a_later_turn_is_pruned(level: Level, tmp_path: Path) -> None:
    vault = Vault(tmp_path / "attention", Keys(HostIdentity.load(tmp_path)), budget=1 << 30)
    engine = Engine(level, vault=vault)
    engine.generate(asked(60))
    engine.save_state()
    assert with_little_memory(engine, asked(200, overflow="prune"), 100).tokens_pruned > 0
    assert engine.generate(asked(61)).tokens_reused == 60
    engine.close()
    vault.close()


def test_what_only_memory_holds_stays_when_a_later_turn_is_pruned(level: Level) -> None:
    engine = Engine(level)
    engine.generate(asked(60))
    assert with_little_memory(engine, asked(200, overflow="prune"), 100).tokens_pruned > 0
    again = engine.generate(asked(61))
    assert (again.tokens_reused, again.missed) == (60, ""), "all of it, which lay beneath"
    assert again.ids == Engine(level).generate(asked(61)).ids


def test_pruning_does_not_stretch_what_the_model_was_made_for_nor_is_it_cold(level: Level) -> None:
    engine = Engine(level)
    with pytest.raises(ContextTooLong, match="the limit is 400"):
        engine.generate(asked(450, overflow="prune"))
    with pytest.raises(ContextTooLong, match="tokens now"):
        with_little_memory(engine, asked(200, overflow="prune"), 10)
    with pytest.raises(BadRequest, match="what is pruned is not cold"):
        engine.generate(asked(20, overflow="prune", exactness="cold"))


def test_pruning_that_fails_half_way_leaves_nothing_that_is_used(level: Level, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = Engine(level)

    def half(layer: GrowingLayer, places: torch.Tensor) -> None:
        keys, _ = layer._filled_blocks()
        keys[:, :, : len(places)] = keys[:, :, places]
        raise torch.OutOfMemoryError("no more")

    with monkeypatch.context() as broken:
        broken.setattr(GrowingLayer, "keep", half)
        with pytest.raises(ModelMemory):
            with_little_memory(engine, asked(200, overflow="prune"), 100)
    again = engine.generate(asked(120, exactness="cold"))
    assert (again.tokens_reused, again.ids) == (0, Engine(level).generate(asked(120)).ids)


def test_the_first_few_stay_however_little_room_there_is() -> None:
    assert prune.left(136, 128) == prune.SINKS
    assert prune.left(400, 128) == 400 - 128 - 50
    with pytest.raises(ValueError, match="too few"):
        prune.left(130, 128)


def test_a_refused_request_takes_nothing_from_the_conversation_that_it_was_to_go_on_from(level: Level) -> None:
    engine = Engine(level)
    engine.generate(asked(200))
    for overflow in ("refuse", "shorten"):
        with pytest.raises(ContextTooLong):
            with_little_memory(engine, asked(300, overflow=overflow), 10)
    assert engine.generate(asked(201)).tokens_reused == 200
