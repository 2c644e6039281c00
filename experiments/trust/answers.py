"""What every level of the reference family says to every question of the pool, asked once and kept in a file.

All levels answer all questions, so that any policy can be tried on them afterwards: full information. Answers are
greedy, float32, many at a time; the signs of doubt are those that the model worker reports.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from experiments.reference.curriculum import Question, questions
from experiments.reference.evaluate import LONGEST_ANSWER, alike, decode, load
from experiments.reference.family import SIZES
from experiments.reference.skills import SKILLS, rows
from experiments.reference.split import Split
from experiments.reference.verifiers import right
from nodes.dialogue.calibration import Signs
from runtime.paths import cache_dir, write_atomically

if TYPE_CHECKING:
    import torch


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """One level's answer to one question."""

    right: bool
    signs: Signs
    """What its confidence is read from; `tokens` of them it says."""
    tokens_in: int
    text: str


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """A question of the pool and the answers of all levels, least capable first."""

    row: str
    """Skill and difficulty. No policy sees it, save one that is named for it."""
    text: str
    turns: int
    """Turns of the conversation before it."""
    said: tuple[Said, ...]


def pool(count: int, seed: int, report: Callable[[str], None]) -> list[Asked]:
    """`count` held-out questions of each row of the curriculum with the answers to them, from the cache or anew.

    `report` is told each portion of work: a size and a row.
    """
    asked = [one for skill, difficulty in rows() for one in questions(Split.HELD_OUT, skill, difficulty, seed, count)]
    path = cache_dir("experiment-trust") / f"answers-{digest(asked)[:16]}.msgpack"
    if path.exists():
        return msgspec.msgpack.decode(path.read_bytes(), type=list[Asked])
    said = [list(answers(size.folder, asked, report)) for size in SIZES.values()]
    found = [
        Asked(
            row=f"{one.skill}/{one.difficulty}",
            text=one.messages[-1].content,
            turns=len(one.messages) // 2,
            said=tuple(level[number] for level in said),
        )
        for number, one in enumerate(asked)
    ]
    write_atomically(path, msgspec.msgpack.encode(found))
    return found


def digest(asked: Sequence[Question]) -> str:
    """SHA-256 over the questions and the weights of all levels: what the answers follow from."""
    whole = hashlib.sha256(msgspec.json.encode([asdict(one) for one in asked]))
    for size in SIZES.values():
        whole.update(hashlib.sha256((size.folder / "model.safetensors").read_bytes()).digest())
    whole.update(repr((LONGEST_ANSWER, Said.__struct_fields__, Signs.__struct_fields__)).encode())
    return whole.hexdigest()


def answers(folder: Path, asked: Sequence[Question], report: Callable[[str], None]) -> Iterator[Said]:
    """The answers of the model in `folder`, in the order of the questions; those of like length go through together."""
    model, tokenizer = load(folder)
    prompts = [
        tokenizer.apply_chat_template(
            [asdict(message) for message in one.messages], add_generation_prompt=True, return_dict=False
        )
        for one in asked
    ]
    found: dict[int, Said] = {}
    for chosen in alike(prompts):
        tokens = _greedy(model, tokenizer, [prompts[number] for number in chosen])
        for number, (ids, logprobs, margins) in zip(chosen, tokens, strict=True):
            text = tokenizer.decode(ids, skip_special_tokens=True)
            one = asked[number]
            found[number] = Said(
                right=right(SKILLS[one.skill], text, one.answer),
                signs=Signs(
                    mean=sum(logprobs) / len(logprobs), least=min(logprobs), margin=min(margins), tokens=len(ids)
                ),
                tokens_in=len(prompts[number]),
                text=" ".join(text.split()),
            )
        report(f"{folder.name}: {len(found)} of {len(asked)}")
    return (found[number] for number in range(len(asked)))


Spoken = tuple[list[int], list[float], list[float]]
"""Ids of an answer; for each the natural log of its probability, and the difference of the two largest logits."""


def _greedy(model: Any, tokenizer: Any, prompts: Sequence[Sequence[int]]) -> list[Spoken]:
    spoken: list[Spoken] = [([], [], []) for _ in prompts]
    decode(model, tokenizer, prompts, lambda going, logits: _note(spoken, going, logits.float()))
    return spoken


def _note(spoken: list[Spoken], going: torch.Tensor, logits: torch.Tensor) -> torch.Tensor:
    """Append the likeliest token [batch] of `logits` [batch, vocab] to every answer that still goes on."""
    best = logits.topk(2, dim=-1)
    logprobs = best.values[:, 0] - logits.logsumexp(-1)
    margins = best.values[:, 0] - best.values[:, 1]
    for row in going.nonzero().flatten().tolist():
        ids, chances, gaps = spoken[row]
        ids.append(int(best.indices[row, 0]))
        chances.append(float(logprobs[row]))
        gaps.append(float(margins[row]))
    return best.indices[:, 0]
