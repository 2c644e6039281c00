"""State moved between tiny models of one tokenizer."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from nodes.model_worker import loading
from nodes.model_worker.errors import ModelUnfit
from nodes.model_worker.kv.features import Features
from nodes.model_worker.kv.rotary import Rotary
from nodes.model_worker.kv.state import AttentionState
from nodes.model_worker.levels import Level
from nodes.model_worker.loading import LoadedModel
from nodes.model_worker.reading import forward_all, nll_of
from nodes.model_worker.transfer import projector as projectors
from nodes.model_worker.transfer.manager import CacheTransferManager
from nodes.model_worker.transfer.projector import Moments, fitted, nearest_layers
from nodes.model_worker.transfer.surprise import surprise
from tests.unit.model_worker import tiny

IDS = [5 + (7 * number) % 290 for number in range(60)]


def opened(folder: Path) -> LoadedModel:
    level = Level(name="x", model=str(folder), device="cpu", dtype="float32", context=400, max_new_tokens=8)
    found = loading.load(level)
    with torch.no_grad():
        for layer in found.model.model.layers:  # as in trained models: large and not alike
            layer.self_attn.k_proj.bias.normal_(std=3.0)
            layer.self_attn.v_proj.bias.normal_()
    return found


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> LoadedModel:
    return opened(tiny.save(tmp_path_factory.mktemp("small")))


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> LoadedModel:
    changes = {"hidden_size": 48, "num_hidden_layers": 3, "num_attention_heads": 4, "seed": 1}
    return opened(tiny.save(tmp_path_factory.mktemp("large"), **changes))


def read(loaded: LoadedModel, ids: list[int]) -> AttentionState:
    state = AttentionState(loaded.state.layers, 16)
    forward_all(loaded, state, ids)
    return state


def identity(features: Features) -> projectors.Projector:
    moments = Moments(features.width, features.width)
    rows = torch.randn(4 * features.width, features.width, generator=torch.Generator().manual_seed(0))
    moments.add(rows, rows)
    return fitted(moments, source_layers=features.layers, target_layers=features.layers, ridge=1e-9)


def test_keys_are_turned_as_the_model_turns_them_and_back(small: LoadedModel) -> None:
    rotary = Rotary.of(small.model)
    plain, places = torch.randn(2, 7, small.state.head_dim), torch.arange(11, 18)
    cos, sin = small.model.model.rotary_emb(plain, places[None])
    halves = torch.cat([-plain.chunk(2, -1)[1], plain.chunk(2, -1)[0]], -1)
    torch.testing.assert_close(rotary.turned(plain, places), plain * cos[0] + halves * sin[0])
    torch.testing.assert_close(rotary.unturned(rotary.turned(plain, places), places), plain, atol=1e-5, rtol=1e-5)


def test_rows_say_the_same_wherever_a_token_stands_and_give_the_state_back(small: LoadedModel) -> None:
    features, state = Features.of(small), read(small, IDS)
    data = state.piece(10, 40)
    rows = features.rows(data, 10)
    assert rows.shape == (30, features.width)
    torch.testing.assert_close(features.state(rows, 10), data, atol=1e-4, rtol=1e-4)
    first = AttentionState(small.state.layers, 16)
    forward_all(small, first, [IDS[0]])
    weights = small.model.model.layers[0]
    hidden = weights.input_layernorm(small.model.model.embed_tokens(torch.tensor([IDS[0]])))
    plain = weights.self_attn.k_proj.weight @ hidden[0]
    found = features.rows(first.piece(0, 1), 0)[0].reshape(features.layers, 2, -1)[0, 0]
    torch.testing.assert_close(found, plain, atol=1e-4, rtol=1e-4)


def test_a_map_is_found_again_whatever_it_sees(large: LoadedModel, small: LoadedModel) -> None:
    generator = torch.Generator().manual_seed(3)
    source = torch.randn(500, 12, generator=generator) + 2
    wanted = torch.randn(12, 8, generator=generator)
    target = source @ wanted - 1
    moments = Moments(12, 8)
    moments.add(source[:200], target[:200])
    moments.add(source[200:400], target[200:400])
    full = fitted(moments, source_layers=3, target_layers=2, ridge=1e-9)
    assert projectors.explained(full, source[400:], target[400:]) == pytest.approx(1, abs=1e-6)
    assert full.parameters == 12 * 8
    low = [fitted(moments, source_layers=3, target_layers=2, ridge=1e-9, rank=rank) for rank in (1, 4, 8)]
    shares = [projectors.explained(each, source[400:], target[400:]) for each in low]
    assert shares == sorted(shares)
    assert shares[0] < 0.9 < shares[2]
    assert low[1].parameters == 4 * (12 + 8)
    near, mapped = (
        fitted(moments, source_layers=6, target_layers=2, sources=sources) for sources in ("nearest", "mapped")
    )
    assert [part.sees.tolist() for part in mapped.parts if part.sees is not None] == [[0, 1], [10, 11]]
    assert [len(part.sees) for part in near.parts if part.sees is not None] == [6, 6]
    with pytest.raises(ValueError, match="nothing was added"):
        fitted(Moments(2, 2), source_layers=1, target_layers=1)
    with pytest.raises(ValueError, match="not the same tokens"):
        moments.add(source[:3], target[:4])


def test_nearest_layers_lie_at_the_same_depth() -> None:
    assert nearest_layers(0, 5, 9, 3) == [0, 1, 2]
    assert nearest_layers(2, 5, 9, 3) == [3, 4, 5]
    assert nearest_layers(4, 5, 9, 1) == [8]
    assert nearest_layers(0, 1, 4, 1) == [0]


def test_state_moved_to_the_same_model_says_what_its_own_does(small: LoadedModel) -> None:
    manager = CacheTransferManager(small, small, identity(Features.of(small)))
    moved = manager.move(IDS, read(small, IDS[:50]))
    native = forward_all(small, AttentionState(small.state.layers, 16), IDS)
    assert moved.projected == len(IDS) - 16 - 4
    assert moved.state.ids == IDS
    torch.testing.assert_close(moved.logits, native[-1], atol=2e-2, rtol=1e-2)
    assert moved.tail_nll == pytest.approx(nll_of(native[44:], IDS[44:]), abs=1e-2)


def test_state_that_surprises_too_much_is_thrown_away_and_read_natively(large: LoadedModel, small: LoadedModel) -> None:
    source, target = Features.of(large), Features.of(small)
    moments = Moments(source.width, target.width)
    moments.add(torch.randn(50, source.width), torch.zeros(50, target.width))
    nothing = fitted(moments, source_layers=source.layers, target_layers=target.layers)
    state = read(large, IDS)
    assert CacheTransferManager(large, small, nothing).move(IDS, state).projected > 0
    native = CacheTransferManager(large, small, nothing, most=0.0).move(IDS, state)
    assert native.projected == 0
    wanted = forward_all(small, AttentionState(small.state.layers, 16), IDS)
    torch.testing.assert_close(native.logits, wanted[-1])


def test_only_what_the_source_has_read_of_these_very_ids_is_moved(small: LoadedModel) -> None:
    manager = CacheTransferManager(small, small, identity(Features.of(small)))
    other = read(small, [*IDS[:30], 9, *IDS[31:]])
    assert manager.move(IDS, other).projected == 30 - 4
    assert manager.move(IDS, read(small, IDS[:3])).projected == 0


def test_what_cannot_be_moved_is_refused_by_name(small: LoadedModel, large: LoadedModel, tmp_path: Path) -> None:
    with pytest.raises(ModelUnfit, match="the map leads from rows"):
        CacheTransferManager(large, small, identity(Features.of(small)))
    other = tiny.save(tmp_path / "other")
    (other / "tokenizer_config.json").write_text((other / "tokenizer_config.json").read_text() + "\n")
    with pytest.raises(ModelUnfit, match="their ids do not mean the same"):
        CacheTransferManager(small, opened(other), identity(Features.of(small)))


def test_surprise_is_told_as_a_share_of_that_of_no_context() -> None:
    generator = torch.Generator().manual_seed(0)
    native, none = torch.randn(20, 50, generator=generator) * 3, torch.zeros(20, 50)
    own = surprise(native, native, none)
    assert (own.normalised, own.js, own.disagreement) == (0.0, pytest.approx(0, abs=1e-6), 0.0)
    nothing = surprise(native, none, none)
    assert nothing.normalised == 1.0
    assert nothing.kl == nothing.kl_none
    half = surprise(native, native / 2, none)
    assert 0 < half.normalised < 1
    assert 0 < half.js < nothing.js <= 1
    with pytest.raises(ValueError, match="not the same tokens"):
        surprise(native, native[:3], none)
