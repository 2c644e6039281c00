"""Lessons as token ids, and the distribution they are to be answered with. Imports torch.

Loss of a lesson: the mean over the tokens of its answer.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from nodes.dream_consolidator.distiller.chunks import answer_states, by_chunk, check_output_layer
from nodes.dream_consolidator.distiller.decoding import Check
from nodes.dream_consolidator.distiller.losses import Target
from nodes.dream_consolidator.selection.select import Lesson
from nodes.model_worker.batch import padded
from nodes.model_worker.loading import LoadedModel
from nodes.model_worker.teach import end_of_turn
from protocol.messages.model import ChatMessage

CHUNK = 1024
"""Tokens whose logits exist at once where a source is asked."""


@dataclass(frozen=True)
class Item:
    """A lesson the student can be trained on."""

    prompt: list[int]
    answer: list[int]
    """With the id that ends it."""
    weight: float
    verified: bool
    rehearsal: bool

    @property
    def length(self) -> int:
        return len(self.prompt) + len(self.answer)


@dataclass(frozen=True)
class Told:
    """A lesson in the teacher's ids, and what the teacher would say at each of its answer's."""

    prompt: list[int]
    answer: list[int]
    target: Target


def encode(loaded: LoadedModel, lesson: Lesson) -> Item:
    """The lesson in the model's own ids."""
    return Item(
        prompt=loaded.tokenizer.encode(loaded.tokenizer.render(lesson.messages)).ids,
        answer=[*loaded.tokenizer.encode(lesson.answer).ids, end_of_turn(loaded)],
        weight=lesson.weight,
        verified=lesson.verified,
        rehearsal=lesson.source == "self",
    )


def question_prefix(loaded: LoadedModel, before: Sequence[ChatMessage] = ()) -> list[int]:
    """The ids after which a user speaks, behind these messages: the model that asks itself goes on from there."""
    mark = "\ue000"
    text = loaded.tokenizer.render([*before, ChatMessage(role="user", content=mark)])
    return loaded.tokenizer.encode(text.partition(mark)[0]).ids


@torch.inference_mode()
def distributions(
    loaded: LoadedModel, items: Sequence[Item], *, k: int, batch: int, check: Check
) -> Iterator[list[Target]]:
    """The source's distribution at each answer token of each item, batch by batch."""

    def top(logits: Tensor, _: slice) -> tuple[Tensor, ...]:
        found = logits.float().log_softmax(-1).topk(min(k, logits.shape[-1]), dim=-1)
        return found.indices.int(), found.values

    check_output_layer(loaded.model, str(loaded.folder))
    for start in range(0, len(items), batch):
        check()
        part = items[start : start + batch]
        found = by_chunk(loaded.model, answer_states(loaded.model, part), CHUNK, top)
        lengths = [len(item.answer) for item in part]
        ids, logprobs = (tensor.cpu().split(lengths) for tensor in found)
        yield list(map(Target, ids, logprobs))


def pack(told: Mapping[str, Told]) -> bytes:
    """Ident → what was told, as bytes of safetensors."""
    from safetensors.torch import save

    tensors = {}
    for ident, each in told.items():
        tensors[f"prompt:{ident}"] = torch.tensor(each.prompt, dtype=torch.int32)
        tensors[f"answer:{ident}"] = torch.tensor(each.answer, dtype=torch.int32)
        tensors[f"ids:{ident}"] = each.target.ids.contiguous()
        tensors[f"logprobs:{ident}"] = each.target.logprobs.contiguous()
    return save(tensors)


def unpack(packed: bytes) -> dict[str, Told]:
    """Ident → what `pack` was given of it."""
    from safetensors.torch import load

    tensors = load(packed)
    idents = [key.partition(":")[2] for key in tensors if key.startswith("prompt:")]
    return {
        ident: Told(
            tensors[f"prompt:{ident}"].tolist(),
            tensors[f"answer:{ident}"].tolist(),
            Target(tensors[f"ids:{ident}"], tensors[f"logprobs:{ident}"]),
        )
        for ident in idents
    }


def answer_logits(model: Any, items: Sequence[Item]) -> Tensor:
    """Logits [items, longest answer, vocab] that predict the answers' tokens; answers end together on the right."""
    ids, mask, positions = padded([item.prompt + item.answer[:-1] for item in items], model.device)
    longest = max(len(item.answer) for item in items)
    output = model(input_ids=ids, attention_mask=mask, position_ids=positions, use_cache=False, logits_to_keep=longest)
    return output.logits  # type: ignore[no-any-return]


@dataclass(frozen=True)
class Batch:
    """Items put together, the tokens of their answers in one row, item after item."""

    items: Sequence[Item]
    words: Tensor
    """[tokens]"""
    verified: Tensor
    """[tokens], 1 or 0."""
    target: Target | None
    """Of [tokens]."""
    weights: Tensor
    """[items]"""

    def means(self, tokens: Tensor) -> Tensor:
        """The mean of each item's own [tokens], [items]."""
        return torch.stack([each.mean() for each in tokens.split([len(item.answer) for item in self.items])])


def collate(items: Sequence[Item], targets: Sequence[Target] | None, device: Any) -> Batch:
    """Put items together. Without targets the words alone are learned."""
    words = torch.tensor([word for item in items for word in item.answer])
    verified = torch.tensor([float(item.verified) for item in items for _ in item.answer])
    weights = torch.tensor([item.weight for item in items])
    target = None
    if targets is not None:
        k = max(target.ids.shape[-1] for target in targets)
        ids = torch.cat([_widened(target.ids.long(), k, 0) for target in targets])
        logprobs = torch.cat([_widened(target.logprobs, k, -torch.inf) for target in targets])
        target = Target(ids.to(device), logprobs.to(device))
    return Batch(items, words.to(device), verified.to(device), target, weights.to(device))


def _widened(rows: Tensor, k: int, filling: float) -> Tensor:
    return torch.nn.functional.pad(rows, (0, k - rows.shape[-1]), value=filling)
