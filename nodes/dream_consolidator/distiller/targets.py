"""Lessons as token ids, the distribution they are to be answered with, and the loss. Imports torch.

Loss of a lesson, mean over the tokens of its answer: KL(source ‖ student) at temperature 1 (Hinton, Vinyals and Dean
2015), plus a share of cross-entropy where the answer is verified. The source's distribution is kept as its k most
likely tokens and one tail bucket that holds the rest.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from nodes.dream_consolidator.distiller.decoding import Check, padded
from nodes.dream_consolidator.selection.select import Lesson
from nodes.model_worker.loading import LoadedModel
from protocol.errors import ConfigError
from protocol.messages.model import ChatMessage

_TINY = 1e-6
"""Probability below which a tail counts as nothing: float32 sums of probabilities are no better."""
_NEVER = -1e4
"""A logarithm of nothing that is still a number: zero times it is zero."""


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
class Target:
    """What the source would say at each token of an answer."""

    ids: Tensor
    """int32 [tokens, k]"""
    logprobs: Tensor
    """float32 [tokens, k], natural logarithms."""


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


def end_of_turn(loaded: LoadedModel) -> int:
    """The id with which the model's template ends an answer."""
    mark = "\ue000"
    turns = (("user", "a"), ("assistant", mark), ("user", "b"))
    text = loaded.tokenizer.render([ChatMessage(role=role, content=content) for role, content in turns])
    for token in loaded.tokenizer.encode(text.partition(mark)[2]).ids:
        if token in loaded.stop_ids:
            return token
    raise ConfigError(
        "the template ends an answer with no id that the model calls an end",
        place=str(loaded.folder),
        remedy="correct eos_token_id in the model's generation_config.json",
    )


def question_prefix(loaded: LoadedModel) -> list[int]:
    """The ids after which a user's question begins: what the model continues where it asks itself."""
    mark = "\ue000"
    text = loaded.tokenizer.render([ChatMessage(role="user", content=mark)])
    return loaded.tokenizer.encode(text.partition(mark)[0]).ids


@torch.inference_mode()
def distributions(
    loaded: LoadedModel, items: Sequence[Item], *, k: int, batch: int, check: Check
) -> Iterator[list[Target]]:
    """The source's distribution at each answer token of each item, batch by batch."""
    for start in range(0, len(items), batch):
        check()
        part = items[start : start + batch]
        logprobs = answer_logits(loaded.model, part).float().log_softmax(-1)
        top = logprobs.topk(min(k, logprobs.shape[-1]), dim=-1)
        yield [
            Target(top.indices[row, -len(item.answer) :].int().cpu(), top.values[row, -len(item.answer) :].cpu())
            for row, item in enumerate(part)
        ]


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
    """Items with their answers aligned on the right: [items, longest answer] and, for targets, a last axis of k."""

    items: Sequence[Item]
    answers: Tensor
    mask: Tensor
    weights: Tensor
    """[items]"""
    verified: Tensor
    """[items], 1 or 0."""
    targets: Target | None


def collate(items: Sequence[Item], targets: Sequence[Target] | None, device: Any) -> Batch:
    """Put items together. Without targets the words alone are learned."""
    answers, mask, _ = padded([item.answer for item in items], device)
    joined = None
    if targets is not None:
        shape = (*answers.shape, targets[0].ids.shape[-1])
        ids = torch.zeros(shape, dtype=torch.long)
        logprobs = torch.full(shape, _NEVER)
        for row, target in enumerate(targets):
            ids[row, -len(target.ids) :] = target.ids.long()
            logprobs[row, -len(target.ids) :] = target.logprobs
        joined = Target(ids.to(device), logprobs.to(device))
    weights = torch.tensor([item.weight for item in items], device=device)
    verified = torch.tensor([float(item.verified) for item in items], device=device)
    return Batch(items, answers, mask, weights, verified, joined)


def lesson_losses(logits: Tensor, batch: Batch, cross_entropy: float) -> Tensor:
    """The loss of each lesson [items], from logits as `answer_logits` gives them."""
    logprobs = logits.float().log_softmax(-1)
    words = -logprobs.gather(-1, batch.answers[..., None])[..., 0]
    if batch.targets is None:
        tokens = words
    else:
        tokens = divergence(logprobs, batch.targets) + cross_entropy * batch.verified[:, None] * words
    return torch.where(batch.mask.bool(), tokens, 0.0).sum(-1) / batch.mask.sum(-1)


def divergence(logprobs: Tensor, target: Target) -> Tensor:
    """KL(source ‖ student) in nats at each token, over the source's top k and the tail; `logprobs` [..., vocab]."""
    student = logprobs.gather(-1, target.ids)
    source = target.logprobs.exp()
    head = source * (target.logprobs - student)
    tail = (1 - source.sum(-1)).clamp(min=0.0)
    student_tail = (1 - student.exp().sum(-1)).clamp(min=_TINY)
    rest = tail * (tail.clamp(min=_TINY).log() - student_tail.log())
    return head.sum(-1) + torch.where(tail > _TINY, rest, 0.0)
