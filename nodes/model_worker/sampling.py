"""Logits → one token, with its log-probability and margin."""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Sampling:
    """How tokens are drawn. Temperature 0 is greedy; `top_k` 0 and `top_p` 1 leave everything in."""

    temperature: float = 0.0
    top_p: float = 1.0
    top_k: int = 0
    seed: int = 0

    def __post_init__(self) -> None:
        if not self.temperature >= 0:
            raise ValueError(f"temperature {self.temperature} is not 0 or more")
        if not 0 < self.top_p <= 1:
            raise ValueError(f"top_p {self.top_p} is not above 0 and at most 1")
        if self.top_k < 0:
            raise ValueError(f"top_k {self.top_k} is not 0 or more")


@dataclass(frozen=True)
class Choice:
    id: int
    logprob: float
    """Natural log of the model's own probability (temperature 1, nothing filtered)."""
    margin: float
    """Difference of the two largest logits: how far a greedy choice was from being another."""


class Sampler:
    """Draws tokens one after another; the same seed and logits give the same tokens, on any device."""

    def __init__(self, sampling: Sampling) -> None:
        self._sampling = sampling
        self._generator = torch.Generator().manual_seed(sampling.seed)

    def choose(self, logits: Tensor) -> Choice:
        """One token from logits [vocab]."""
        logits = logits.float()
        best = logits.topk(2)
        token = int(best.indices[0]) if self._sampling.temperature == 0 else self._draw(logits)
        logprob = logits[token] - logits.logsumexp(dim=-1)
        return Choice(token, float(logprob), float(best.values[0] - best.values[1]))

    def _draw(self, logits: Tensor) -> int:
        """Temperature, then top-k, then top-p (nucleus: Holtzman et al. 2020, section 3.1), then one draw."""
        count = min(self._sampling.top_k or logits.shape[-1], logits.shape[-1])
        ranked = (logits.cpu() / self._sampling.temperature).topk(count)
        chances = ranked.values.softmax(dim=-1)
        # The token that crosses the threshold stays in: what comes before it must be below top_p.
        outside = chances.cumsum(dim=-1) - chances >= self._sampling.top_p
        outside[0] = False
        drawn = torch.multinomial(chances.masked_fill(outside, 0.0), 1, generator=self._generator)
        return int(ranked.indices[drawn])
