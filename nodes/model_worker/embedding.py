"""Texts as vectors: what goes into a model's first layer beside what comes from behind its last norm.

Each is the mean over the tokens of a text, of unit length (the first and the last layer: Su et al. 2021). The first
says which words there are; the last, more of what would be said next.

It is work that can be left after every forward pass, none of which is larger than that of a chunk of an ordinary
prompt. It neither reads nor changes what is kept of conversations. Each text is read by itself, so that no vector hangs
on what else is asked for.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import msgspec
import torch
from torch import Tensor

from nodes.model_worker import loading
from nodes.model_worker.effort import Effort
from nodes.model_worker.errors import ContextTooLong, ModelMemory
from nodes.model_worker.levels import Level
from nodes.model_worker.loading import LoadedModel
from nodes.model_worker.memory import HEADROOM
from protocol.messages.model import Embed, Embedded

if TYPE_CHECKING:
    from transformers import DynamicCache

_PLACE = "model/embed"


class Reading:
    """A request while it is worked on, a forward pass at a time."""

    def __init__(self, model: LoadedModel, level: Level, request: Embed, adapter: str = "", base: str = "") -> None:
        """`adapter` and `base` as in `Embedded`. Raises ContextTooLong and ModelMemory."""
        rows = [_ids(model, index, text) for index, text in enumerate(request.texts)]
        _make_sure_of_memory(model, level, max(map(len, rows), default=0))
        self.model = model
        self.over = False
        self._width = 2 * int(model.model.config.get_text_config().hidden_size)
        self._vectors: list[Tensor] = []
        self._passes = self._read(rows, level.prefill_chunk)
        self.embedded = Embedded(
            vectors=b"",
            dimensions=self._width,
            tokens=[len(row) for row in rows],
            version=model.version,
            base=base,
            adapter=adapter,
        )
        """The answer, whose vectors are there once it is over."""

    def go_on(self) -> None:
        """One forward pass more."""
        for _ in self._passes:
            return
        self.over = True
        vectors = torch.stack(self._vectors).numpy().astype("<f4").tobytes()
        self.embedded = msgspec.structs.replace(self.embedded, vectors=vectors)

    def took(self, effort: Effort) -> None:
        """Count what some of it took."""
        embedded = self.embedded
        self.embedded = msgspec.structs.replace(
            embedded,
            seconds=embedded.seconds + effort.seconds,
            cpu_s=embedded.cpu_s + effort.cpu_s,
            joules=embedded.joules + effort.joules,
            joules_source=effort.source or embedded.joules_source,
        )

    def _read(self, rows: Sequence[Sequence[int]], chunk: int) -> Iterator[None]:
        """Stops after every pass."""
        for row in rows:
            total = torch.zeros(self._width)
            for part in _passes(self.model, row, chunk):
                total += part.float().sum(0).cpu()
                yield
            self._vectors.append(joined(total))


def joined(total: Tensor) -> Tensor:
    """A unit vector of the sums of both states, which count alike: [..., 2 width]."""
    parts = total.unflatten(-1, (2, -1))
    return (parts / parts.norm(dim=-1, keepdim=True).clamp(min=1e-12)).flatten(-2) / math.sqrt(2)


def states(model: LoadedModel, ids: Tensor, cache: DynamicCache | None = None) -> Tensor:
    """What goes into the first layer and what comes from behind the last norm: [rows, tokens, 2 width]."""
    first = model.model.get_input_embeddings()(ids)
    last = model.model.base_model(input_ids=ids, past_key_values=cache, use_cache=cache is not None)[0]
    return torch.cat((first, last), dim=-1)


def _ids(model: LoadedModel, index: int, text: str) -> list[int]:
    ids = model.tokenizer.encode(text).ids
    if len(ids) > model.context:
        raise ContextTooLong(
            f"{len(ids)} tokens are over the limit of {model.context}",
            place=f"{_PLACE}: texts[{index}]",
            remedy="send a shorter text",
            detail={"limit": model.context, "tokens": len(ids)},
        )
    return ids


def _passes(model: LoadedModel, ids: Sequence[int], chunk: int) -> Iterator[Tensor]:
    """`states` of each chunk in turn: [tokens, 2 width]."""
    from transformers import DynamicCache

    cache = DynamicCache(config=model.model.config) if len(ids) > chunk else None
    for first in range(0, len(ids), chunk):
        part = torch.tensor([ids[first : first + chunk]], device=model.device)
        with torch.inference_mode():
            found = states(model, part, cache)[0]
        yield found


def _make_sure_of_memory(model: LoadedModel, level: Level, longest: int) -> None:
    needed = model.needs.request(longest, held=longest, capacity=0)
    free = loading.free_bytes(model.device) - HEADROOM
    if needed > free:
        raise ModelMemory(
            f"a text of {longest} tokens needs {needed >> 20} MiB, {max(0, free) >> 20} MiB are free",
            place=f"level {level.name}",
            remedy="send a shorter text, or end what else takes memory",
        )
