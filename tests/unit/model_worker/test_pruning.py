"""What each scorer keeps, on a tiny model; and a pruned state that knows what is gone."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from nodes.model_worker import loading
from nodes.model_worker.kv.pruning.attention import attend
from nodes.model_worker.kv.pruning.choosing import LAST, best
from nodes.model_worker.kv.pruning.recent import SINKS, gone
from nodes.model_worker.kv.pruning.scorers import SCORERS, anchors
from nodes.model_worker.kv.state import AttentionState
from nodes.model_worker.levels import Level
from nodes.model_worker.loading import LoadedModel
from nodes.model_worker.reading import forward_all, read
from tests.unit.model_worker import tiny

IDS = [5 + (number * number) % 97 for number in range(150)]


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> LoadedModel:
    folder: Path = tiny.save(tmp_path_factory.mktemp("model"))
    return loading.load(
        Level(name="x", model=str(folder), device="cpu", dtype="float32", context=400, max_new_tokens=8)
    )


@pytest.mark.parametrize("name", SCORERS)
def test_every_token_gets_a_score_and_the_model_is_as_it_was(loaded: LoadedModel, name: str) -> None:
    before = loaded.model.config._attn_implementation
    scores = SCORERS[name](loaded, IDS)
    assert scores.shape == (len(IDS),)
    assert torch.isfinite(scores).all()
    assert len(set(scores.tolist())) > 2
    assert loaded.model.config._attn_implementation == before
    assert torch.equal(SCORERS[name](loaded, IDS), scores)


def test_attention_of_each_head_sums_to_one(loaded: LoadedModel) -> None:
    found: list[torch.Tensor] = []
    state = AttentionState(loaded.state.layers, len(IDS))
    attend(loaded, state, IDS, lambda start, attention: found.append(attention))
    assert [each.shape[-1] for each in found] == [128, 150]
    shared = loaded.model.config.num_attention_heads / loaded.state.kv_heads
    assert torch.allclose(found[1].sum(-1), torch.tensor(shared), atol=1e-4)


def test_the_first_and_the_last_stay_and_between_them_the_best() -> None:
    scores = torch.zeros(100)
    scores[[40, 60, 50]] = torch.tensor([1.0, 2.0, 3.0])
    kept = best(scores, SINKS + LAST + 2)
    assert kept == [*range(SINKS), 50, 60, *range(100 - LAST, 100)]
    assert best(scores, 100) == best(scores, 400) == list(range(100))
    assert best(scores, 3) == [0, 1, 2]


def test_what_is_said_once_and_what_opens_a_message_is_an_anchor(loaded: LoadedModel) -> None:
    special = min(loaded.tokenizer.special_ids)
    ids = [special, 20, 21, 22, 22, special, 22, 23]
    scores = anchors(loaded, ids)
    assert scores[0] == scores[5] == scores.max()
    assert scores[7] > scores[3]
    assert scores[1] > scores[2]
    risen = anchors(loaded, ids, [0.0, 1.0]) - scores
    assert risen.tolist() == [0, 0, 0, 0, 0, 0, 0, 0]


def test_spans_that_are_gone_are_told_by_their_positions(loaded: LoadedModel) -> None:
    state = read(loaded, IDS[:10])
    assert state.gone == []
    state.prune([0, 1, 4, 5, 9])
    assert (state.gone, state.position) == ([(2, 4), (6, 9)], 10)
    forward_all(loaded, state, IDS[10:13])
    assert (state.gone, state.position) == ([(2, 4), (6, 9)], 13)
    state.prune([0, 1, 5, 6, 7])
    assert state.gone == [(2, 10)]
    assert gone([], 3) == [(0, 3)]


def test_what_follows_a_pruned_state_stands_where_it_would_have_stood(loaded: LoadedModel) -> None:
    """Keys of the first layer hang on token and position alone."""
    whole, pruned = read(loaded, IDS[:20]), read(loaded, IDS[:20])
    pruned.prune([0, 1, 2, 3, *range(10, 20)])
    for state in (whole, pruned):
        forward_all(loaded, state, IDS[20:22])
    assert torch.allclose(whole.piece(20, 22)[0], pruned.piece(14, 16)[0], atol=1e-5)
