"""Texts as vectors: the mean, over the tokens of a text, of what the model makes of them behind its last norm.

It is work that can be left after every forward pass, none of which is larger than that of a chunk of an ordinary
prompt. It neither reads nor changes what is kept of conversations. Each text is read by itself, so that no vector hangs
on what else is asked for.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

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

_PLACE = "model/embed"


class Reading:
    """A request while it is worked on, a forward pass at a time."""

    def __init__(self, model: LoadedModel, level: Level, request: Embed, adapter: str = "", base: str = "") -> None:
        """`adapter` and `base` as in `Embedded`. Raises ContextTooLong and ModelMemory."""
        rows = [_ids(model, index, text) for index, text in enumerate(request.texts)]
        _make_sure_of_memory(model, level, max(map(len, rows), default=0))
        self.model = model
        self.over = False
        self._width = int(model.model.config.get_text_config().hidden_size)
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
            for hidden in _passes(self.model, row, chunk):
                total += hidden.float().sum(0).cpu()
                yield
            self._vectors.append(total / max(float(total.norm()), 1e-12))


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
    """What the model makes of the tokens behind its last norm: [tokens, width] of each chunk in turn."""
    from transformers import DynamicCache

    base = model.model.base_model
    cache = DynamicCache(config=model.model.config) if len(ids) > chunk else None
    for first in range(0, len(ids), chunk):
        part = torch.tensor([ids[first : first + chunk]], device=model.device)
        with torch.inference_mode():
            hidden = base(input_ids=part, past_key_values=cache, use_cache=cache is not None)[0][0]
        yield hidden


def _make_sure_of_memory(model: LoadedModel, level: Level, longest: int) -> None:
    needed = model.needs.request(longest, held=longest, capacity=0)
    free = loading.free_bytes(model.device) - HEADROOM
    if needed > free:
        raise ModelMemory(
            f"a text of {longest} tokens needs {needed >> 20} MiB, {max(0, free) >> 20} MiB are free",
            place=f"level {level.name}",
            remedy="send a shorter text, or end what else takes memory",
        )
