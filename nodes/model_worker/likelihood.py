"""How unlikely the tokens of a prompt were to the model, found while they are prefilled anyway.

The logits that the answer begins with are computed apart, as they are without this, so that judging changes no bit of
an answer. What an architecture does to its logits behind the output layer (a soft cap, a scale) is not repeated here.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

AT_ONCE = 8
"""Tokens whose logits over the whole vocabulary lie in memory together: nobody has set more room aside for them."""


@dataclass
class Judge:
    """Wants the tokens of a prompt at the places in `wanted`, and keeps what they cost in `nats`.

    A token is judged where the one before it is computed too: its likelihood stands in that one's logits.
    """

    wanted: range
    nats: list[float] = field(default_factory=list)
    """−ln p of each token judged, in order."""
    expected: float = 0.0
    """The sum of the entropies of the distributions they stand in: what they were to cost by the model's own lights."""

    @property
    def mean(self) -> float | None:
        """Nats a token; None where none was judged."""
        return sum(self.nats) / len(self.nats) if self.nats else None

    @property
    def excess(self) -> float | None:
        """Nats a token beyond what the model expected; None where none was judged."""
        return (sum(self.nats) - self.expected) / len(self.nats) if self.nats else None

    @contextmanager
    def watching(self, model: Any, place: int, following: Sequence[int]) -> Iterator[None]:
        """Judge during the one forward pass inside: it begins at `place`; `following` are the ids after each of its."""
        rows = [row for row in range(len(following)) if place + row + 1 in self.wanted]
        if not rows:
            yield
            return
        hook = model.base_model.register_forward_hook(
            lambda _module, _inputs, output: self._look(model, output, rows, following)
        )
        try:
            yield
        finally:
            hook.remove()

    def _look(self, model: Any, output: Any, rows: list[int], following: Sequence[int]) -> None:
        hidden: Tensor = output[0]  # [1, tokens, width], behind the last norm
        for first in range(0, len(rows), AT_ONCE):
            some = rows[first : first + AT_ONCE]
            logits = model.get_output_embeddings()(hidden[0, some]).float()
            targets = torch.tensor([following[row] for row in some], device=logits.device)
            logs = logits.log_softmax(dim=-1)
            self.nats += (-logs.gather(1, targets[:, None])[:, 0]).tolist()
            self.expected -= float((logs.exp() * logs).sum())
