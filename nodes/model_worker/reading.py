"""A context read in one go, and how much the same another reading of it is."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from nodes.model_worker.kv.state import AttentionState
from nodes.model_worker.loading import LoadedModel


@torch.inference_mode()
def forward_all(loaded: LoadedModel, state: AttentionState, ids: Sequence[int]) -> Tensor:
    """Compute keys and values of `ids` into `state`; float32 logits [tokens, vocab]."""
    tokens = torch.tensor([list(ids)], device=loaded.device)
    places = torch.arange(state.position, state.position + len(ids), device=loaded.device)[None]
    output = loaded.model(input_ids=tokens, position_ids=places, past_key_values=state.cache, use_cache=True)
    state.computed(ids)
    return output.logits[0].float().cpu()  # type: ignore[no-any-return]


def read(loaded: LoadedModel, ids: Sequence[int]) -> AttentionState:
    state = AttentionState(loaded.state.layers, len(ids), loaded.device)
    forward_all(loaded, state, ids)
    return state


def nll_of(logits: Tensor, ids: Sequence[int]) -> float:
    """Nats a token of all ids but the first, from the logits [tokens, vocab] at each."""
    if len(ids) < 2:
        return 0.0
    wanted = torch.tensor(list(ids[1:]))
    return float(torch.nn.functional.cross_entropy(logits[:-1], wanted))


def kl_of(p: Tensor, q: Tensor) -> Tensor:
    """KL(p ‖ q) in nats [tokens], from logarithms of probabilities [tokens, vocab]."""
    # A word that is impossible in both adds nothing, though the difference of its logarithms is none.
    return torch.where(p.exp() == 0, 0.0, p.exp() * (p - q)).sum(-1)


@dataclass(frozen=True)
class Likeness:
    """Of what follows a context, said on top of another state than the model's own; over tokens."""

    nll: float
    """Nats a token, on top of its own state."""
    other_nll: float
    kl: float
    """Mean KL(own ‖ other), nats."""
    kl_p99: float
    same: float
    """Share at which the likeliest word is the same."""
    greedy: float
    """Mean number of tokens from the beginning on at which it is."""

    @property
    def excess(self) -> float:
        """Share by which the text is less likely on top of the other."""
        return self.other_nll / self.nll - 1 if self.nll else 0.0


def likeness(own: Sequence[Tensor], other: Sequence[Tensor], ids: Iterable[Sequence[int]]) -> Likeness:
    """From the logits [tokens, vocab] of the same texts, each with its ids."""
    nll, other_nll, kls, same, until = 0.0, 0.0, [], [], []
    tokens = 0
    for mine, theirs, text in zip(own, other, ids, strict=True):
        one, two = mine.float().log_softmax(-1), theirs.float().log_softmax(-1)
        following = torch.tensor(list(text[1:]))[:, None]
        nll -= float(one[:-1].gather(1, following).sum())
        other_nll -= float(two[:-1].gather(1, following).sum())
        tokens += len(following)
        kls.append(kl_of(one, two))
        agrees = one.argmax(-1) == two.argmax(-1)
        same.append(agrees.float())
        until.append(float(agrees.long().cumprod(0).sum()))
    kl = torch.cat(kls)
    return Likeness(
        nll=nll / max(1, tokens),
        other_nll=other_nll / max(1, tokens),
        kl=float(kl.mean()),
        kl_p99=float(kl.quantile(0.99)),
        same=float(torch.cat(same).mean()),
        greedy=sum(until) / len(until),
    )
