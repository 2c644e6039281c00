"""What each token of a context is worth to what may come: higher is kept longer. Imports torch.

    received     the attention it got from all that followed, a token (Zhang et al. 2023, H2O)
    window       the attention it gets from the last few tokens (Li et al. 2024, SnapKV)
    reconstruct  the attention it gets while the model says the context over again (Kim et al. 2025, KVzip)
    expected     the attention that queries like those so far would give it from further on, times what it then adds
                 (Devoto et al. 2025, Expected Attention, section 3)
    anchors      the beginnings and ends of messages, what is said seldom, and messages that matter
    hierarchical anchors first, then what it takes to say the context over again

Each takes the model and the ids of a context, and gives float32 [tokens].
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

from nodes.model_worker.kv.pruning.attention import PIECE, attend, queries
from nodes.model_worker.kv.rotary import Rotary
from nodes.model_worker.kv.state import AttentionState
from nodes.model_worker.loading import LoadedModel
from nodes.model_worker.reading import forward_all

Scorer = Callable[[LoadedModel, Sequence[int]], Tensor]
WINDOW = 32
AHEAD = 512
"""Tokens further on from which queries are expected."""


def received(loaded: LoadedModel, ids: Sequence[int]) -> Tensor:
    found = torch.zeros(len(ids))

    def take(_start: int, attention: Tensor) -> None:
        found[: attention.shape[-1]] += attention.sum((0, 1, 2))

    attend(loaded, _empty(loaded, ids), ids, take)
    return found / torch.arange(len(ids), 0, -1)


def window(loaded: LoadedModel, ids: Sequence[int]) -> Tensor:
    last = min(WINDOW, len(ids))
    state, found = _empty(loaded, ids), torch.zeros(len(ids))
    attend(loaded, state, ids[:-last], lambda *_: None)
    attend(loaded, state, ids[-last:], lambda _, attention: found.add_(attention.sum((0, 1, 2))))
    # A token that asks and its neighbours go together, as in SnapKV.
    return torch.nn.functional.max_pool1d(found[None, None], 5, stride=1, padding=2)[0, 0]


def reconstruct(loaded: LoadedModel, ids: Sequence[int]) -> Tensor:
    """Piece by piece, each behind the context alone, as at the beginning of what would follow it."""
    state, found = _empty(loaded, ids), torch.zeros(len(ids))
    attend(loaded, state, ids, lambda *_: None)

    def take(_start: int, attention: Tensor) -> None:
        # By each pair of layer and head the most that any token of the piece gave; then all of them together.
        most = attention[..., : len(ids)].amax(2)
        found.copy_(torch.maximum(found, most.mean((0, 1))))

    for start in range(0, len(ids), PIECE):
        attend(loaded, state, ids[start : start + PIECE], take)
        state.truncate(len(ids))
    return found


@torch.inference_mode()
def expected(loaded: LoadedModel, ids: Sequence[int]) -> Tensor:
    state, asked = _empty(loaded, ids), list[Tensor]()
    with queries(loaded.model, asked):
        forward_all(loaded, state, ids)
    rotary, dim, heads = Rotary.of(loaded.model), loaded.state.head_dim, loaded.state.kv_heads
    # A turn by many different distances, on average: a matrix that shortens what turns fast.
    places = torch.arange(len(ids), len(ids) + AHEAD)
    turn = rotary.turned(torch.eye(dim)[:, None, :].expand(dim, AHEAD, dim), places).mean(1)
    found = torch.zeros(len(ids))
    data = state.piece(0, len(ids)).float()
    for layer, rows in enumerate(asked):
        each = rows.view(len(ids), heads, -1, dim)
        for head in range(heads):
            keys, values = data[layer, 0, head], data[layer, 1, head]
            for query in range(each.shape[2]):
                own = each[:, head, query] @ turn
                mean, spread = own.mean(0), torch.cov(own.T)
                logits = keys @ mean / math.sqrt(dim) + (keys @ spread * keys).sum(-1) / (2 * dim)
                found += logits.softmax(0) * values.norm(dim=-1)
    return found


def anchors(loaded: LoadedModel, ids: Sequence[int], salience: Sequence[float] = ()) -> Tensor:
    """`salience`: 0..1 of each message in order; without it all matter alike."""
    ends = set(loaded.tokenizer.special_ids)
    met = Counter(ids)
    found = torch.zeros(len(ids))
    message = -1
    for place, token in enumerate(ids):
        if token in ends:
            message += 1
            found[place] = 2.0
            continue
        # Seldom in this context: names, numbers, what was told once.
        found[place] = 1 / met[token]
        if place and ids[place - 1] in ends:
            found[place] += 1.0
        if salience:
            found[place] += salience[min(max(0, message // 2), len(salience) - 1)]
    return found


def hierarchical(loaded: LoadedModel, ids: Sequence[int], salience: Sequence[float] = ()) -> Tensor:
    """By rank: what is an anchor rises, and the others follow in the order of how much of the context needs them."""
    told, anchored = reconstruct(loaded, ids), anchors(loaded, ids, salience)
    return _rank(told) + 0.5 * _rank(anchored)


SCORERS: Mapping[str, Scorer] = {
    "received": received,
    "window": window,
    "reconstruct": reconstruct,
    "expected": expected,
    "anchors": anchors,
    "hierarchical": hierarchical,
}


def _empty(loaded: LoadedModel, ids: Sequence[int]) -> AttentionState:
    state = AttentionState(loaded.state.layers, len(ids), loaded.device)
    state.reserve(len(ids) + PIECE)
    return state


def _rank(scores: Tensor) -> Tensor:
    """0..1, the lowest first."""
    return scores.argsort().argsort().float() / max(1, len(scores) - 1)
