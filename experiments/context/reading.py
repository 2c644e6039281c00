"""Texts read beforehand, for encoders that are awaited in a running system. Only reading by `model` imports torch."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from experiments.context.dialogues import Dialogue
from nodes.context_classifier.awaited import Awaited, Read
from nodes.context_classifier.encoder import Choice
from nodes.context_classifier.memory import LONGEST
from protocol.errors import BadRequest

if TYPE_CHECKING:
    from nodes.context_classifier.vectors import Vector

AT_ONCE = 256
"""Texts in one forward pass. All of one have the same number of tokens, so that none is padded."""


class Prepared:
    """An `Encoder` all of whose texts were read before."""

    def __init__(self, awaited: Awaited, reads: Mapping[str, Read]) -> None:
        self.name, self.dimensions, self.meaning = awaited.name, awaited.dimensions, awaited.meaning
        self.row, self.weight, self.sort = awaited.row, awaited.weight, awaited.sort
        self.kind = self.fingerprint = awaited.kind
        self._awaited = awaited
        self._reads = reads
        self._vectors: dict[str, Vector] = {}

    def encode(self, text: str) -> Vector:
        if text not in self._vectors:
            self._awaited.take(text, self._reads[text])
            self._vectors[text] = self._awaited.encode(text)
        return self._vectors[text]


def texts(dialogues: Iterable[Dialogue]) -> list[str]:
    """Whatever is said in them, each once."""
    return sorted(
        {text[:LONGEST] for one in dialogues for part in (*one.unrelated, *one.earlier, one.said) for text in part}
    )


def read(choice: Choice, levels_file: str, said: Sequence[str]) -> dict[str, Read]:
    """Each text as the encoder's own source reads it. Raises BadRequest for an encoder that has none."""
    if choice.name == "model":
        return dict(_by_model(choice.level, levels_file, said))
    if choice.name == "sentence":
        from nodes.context_classifier.sentence import Sentences

        sentences = Sentences(Path(choice.folder))
        return {text: sentences.now(text) for text in said}
    raise BadRequest(f"texts are not read beforehand for {choice.name!r}")


def _by_model(level_name: str, levels_file: str, said: Sequence[str]) -> Iterator[tuple[str, Read]]:
    """What the level's own weights make of the texts, in float32: a worker's dtype changes no digit that counts."""
    import torch

    from nodes.model_worker import embedding, levels, loading

    level = levels.load(levels_file).by_name(level_name)
    model = loading.load(msgspec.structs.replace(level, dtype="float32"))
    by_length: dict[int, list[tuple[str, list[int]]]] = {}
    for text in said:
        ids = model.tokenizer.encode(text).ids[: model.context]
        by_length.setdefault(len(ids), []).append((text, ids))
    for length, rows in sorted(by_length.items()):
        for first in range(0, len(rows), AT_ONCE):
            part = rows[first : first + AT_ONCE]
            with torch.inference_mode():
                given = torch.tensor([ids for _, ids in part], device=model.device).reshape(len(part), length)
                found = embedding.joined(embedding.states(model, given.long()).sum(1))
            for (text, _), vector in zip(part, found.cpu().numpy(), strict=True):
                yield text, Read(vector, model.version, model.fingerprint["weights"])
