"""What a token's answer costs: divergences from the source's distribution, by name. Imports torch.

The source is known by its k likeliest tokens; all others of both are one more bucket, the tail, so that each
distribution still sums to one. P is the source, Q the student, both at temperature 1.

    forward_kl     KL(P ‖ Q)                                        Hinton, Vinyals and Dean 2015, section 2
    reverse_kl     KL(Q ‖ P)                                        Gu et al. 2024 (MiniLLM), equation 1
    jsd            β KL(P ‖ M) + (1 − β) KL(Q ‖ M), M = β P + (1 − β) Q     Agarwal et al. 2024 (GKD), section 2
    mse            mean of (log Q − log P)² over the top k          after Ba and Caruana 2014, equation 1: they take
                   logits, which are log-probabilities but for one constant a token, and those are what is kept
    cross_entropy  −log Q(word), whatever the source would have said
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

_TINY = 1e-6
"""Probability below which a tail counts as nothing: float32 sums of probabilities are no better."""
_NEVER = -1e4
"""A logarithm of nothing that is still a number: zero times it is zero."""


@dataclass(frozen=True)
class Target:
    """What the source would say at each token."""

    ids: Tensor
    """int [tokens, k]"""
    logprobs: Tensor
    """float32 [tokens, k], natural logarithms; −inf where the source named fewer than k."""


def token_losses(
    logits: Tensor, words: Tensor, verified: Tensor, target: Target | None, *, loss: str, beta: float, share: float
) -> Tensor:
    """The loss in nats at each token.

    `logits` [tokens, vocab], `words` [tokens] what was answered, `verified` [tokens] 1 where it is known to be right:
    there `share` of the cross-entropy is added. Without a target the words alone are learned.
    """
    logprobs = logits.float().log_softmax(-1)
    cross_entropy = -logprobs.gather(-1, words[:, None])[:, 0]
    if target is None or loss == "cross_entropy":
        return cross_entropy
    return divergence(logprobs, target, loss=loss, beta=beta) + share * verified * cross_entropy


def divergence(logprobs: Tensor, target: Target, *, loss: str, beta: float = 0.5) -> Tensor:
    """How far the student's `logprobs` [tokens, vocab] are from the target, at each token."""
    if loss == "mse":
        return _mse(logprobs, target)
    source, student = buckets(logprobs, target)
    return _DIVERGENCES[loss](source, student, beta)


def buckets(logprobs: Tensor, target: Target) -> tuple[Tensor, Tensor]:
    """Source and student over the source's top k and the tail: two log-distributions [tokens, k + 1]."""
    named = target.logprobs > _NEVER
    return _with_tail(target.logprobs, named), _with_tail(logprobs.gather(-1, target.ids), named)


def _with_tail(head: Tensor, named: Tensor) -> Tensor:
    head = torch.where(named, head, _NEVER).clamp(min=_NEVER)
    tail = (1 - head.exp().sum(-1, keepdim=True)).clamp(min=_TINY).log()
    return torch.cat([head, tail], dim=-1).log_softmax(-1)


def _kl(p: Tensor, q: Tensor) -> Tensor:
    return (p.exp() * (p - q)).sum(-1)


def _jsd(source: Tensor, student: Tensor, beta: float) -> Tensor:
    share = torch.tensor(beta, device=source.device)
    mixture = torch.logaddexp(source + share.log(), student + (1 - share).log())
    return beta * _kl(source, mixture) + (1 - beta) * _kl(student, mixture)


_DIVERGENCES: dict[str, Callable[[Tensor, Tensor, float], Tensor]] = {
    "forward_kl": lambda source, student, _: _kl(source, student),
    "reverse_kl": lambda source, student, _: _kl(student, source),
    "jsd": _jsd,
}


def _mse(logprobs: Tensor, target: Target) -> Tensor:
    named = target.logprobs > _NEVER
    apart = logprobs.gather(-1, target.ids).clamp(min=_NEVER) - torch.where(named, target.logprobs, 0.0)
    return torch.where(named, apart, 0.0).square().sum(-1) / named.sum(-1).clamp(min=1)
