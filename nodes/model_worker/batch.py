"""Many rows of tokens through a model together, a few columns at a time, apart from all kept attention state."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor


def padded(rows: Sequence[Sequence[int]], device: str) -> tuple[Tensor, Tensor, Tensor]:
    """Ids, mask and positions [rows, longest], padded on the left, so that all rows end together."""
    longest = max(map(len, rows))
    ids = torch.zeros((len(rows), longest), dtype=torch.long)
    mask = torch.zeros_like(ids)
    for index, row in enumerate(rows):
        ids[index, longest - len(row) :] = torch.tensor(row, dtype=torch.long)
        mask[index, longest - len(row) :] = 1
    positions = (mask.cumsum(-1) - 1).clamp(min=0)
    return ids.to(device), mask.to(device), positions.to(device)


class Batch:
    """Rows that end together, of which the first `done` columns were computed."""

    def __init__(self, model: Any, rows: Sequence[Sequence[int]]) -> None:
        from transformers import DynamicCache

        self._model = model
        self._ids, self._mask, self._positions = padded(rows, model.device)
        self._cache = DynamicCache(config=model.config)
        self.done = 0

    @property
    def columns(self) -> int:
        return self._ids.shape[1]

    def append(self, ids: Tensor) -> None:
        """One more column [rows]."""
        self._ids = torch.cat([self._ids, ids[:, None]], dim=1)
        self._mask = torch.cat([self._mask, self._mask.new_ones(len(ids), 1)], dim=1)
        self._positions = torch.cat([self._positions, self._positions[:, -1:] + 1], dim=1)

    @torch.inference_mode()
    def forward(self, columns: int, logits_from: int) -> Tensor | None:
        """Compute at most so many columns more.

        Float32 logits [rows, those of the columns just computed that are `logits_from` or later, vocab]; None for none.
        """
        start, end = self.done, min(self.done + columns, self.columns)
        kept = range(max(start, logits_from) - start, end - start)
        # Nobody reads the logits of the other columns: the output layer is not computed for them.
        model = self._model if kept else self._model.base_model
        how = {"logits_to_keep": torch.tensor(kept, device=self._ids.device)} if kept else {}
        output = model(
            input_ids=self._ids[:, start:end],
            attention_mask=self._mask[:, :end],
            position_ids=self._positions[:, start:end],
            past_key_values=self._cache,
            use_cache=True,
            **how,
        )
        self.done = end
        return output.logits.float() if kept else None
