"""How unlikely the tokens of a prompt were to the model, from what it makes of them while they are prefilled anyway.

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
    """Wants the tokens of a prompt at the places in `wanted`; `settle` finds what those cost that were computed.

    A token is judged where the one before it is computed too: its likelihood stands in that one's logits.
    """

    wanted: range
    nats: list[float] = field(default_factory=list)
    """−ln p of each token judged, in order."""
    expected: float = 0.0
    """The sum of the entropies of the distributions they stand in: what they were to cost by the model's own lights."""
    _seen: list[tuple[Tensor, list[int]]] = field(default_factory=list)
    """What the model made of the tokens before those that are wanted [tokens, width], and which these were."""

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
        """Look on during the one forward pass inside, from `place`; `following` are the ids after each of its own."""
        rows = [row for row in range(len(following)) if place + row + 1 in self.wanted]
        if not rows:
            yield
            return
        hook = model.base_model.register_forward_hook(
            lambda _module, _inputs, output: self._look(output, rows, following)
        )
        try:
            yield
        finally:
            hook.remove()

    def settle(self, model: Any) -> None:
        """Find out what the tokens seen so far cost; apart from the passes, so that no token waits for it."""
        seen, self._seen = self._seen, []
        with torch.inference_mode():
            for hidden, targets in seen:
                for first in range(0, len(targets), AT_ONCE):
                    self._cost(model, hidden[first : first + AT_ONCE], targets[first : first + AT_ONCE])

    def _look(self, output: Any, rows: list[int], following: Sequence[int]) -> None:
        hidden: Tensor = output[0]  # [1, tokens, width], behind the last norm
        self._seen.append((hidden[0, rows], [following[row] for row in rows]))

    def _cost(self, model: Any, hidden: Tensor, targets: list[int]) -> None:
        logs = model.get_output_embeddings()(hidden).float().log_softmax(dim=-1)
        found = logs.gather(1, torch.tensor(targets, device=logs.device)[:, None])[:, 0]
        self.nats += (-found).tolist()
        self.expected -= float((logs.exp() * logs).sum())
