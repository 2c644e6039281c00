"""What judges, put to the student as it was and as it is: greedy answers, and how each was given. Imports torch."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from nodes.dream_consolidator.distiller import answering
from nodes.dream_consolidator.distiller.chunks import answer_states, by_chunk, check_output_layer
from nodes.dream_consolidator.distiller.decoding import decode
from nodes.dream_consolidator.distiller.targets import CHUNK
from nodes.dream_consolidator.distiller.workbench import Workbench
from nodes.dream_consolidator.selection.lessons import Answer
from nodes.dream_consolidator.selection.select import Question
from nodes.dream_consolidator.validation.trial import Manner, repeated_share
from nodes.model_worker.loading import LoadedModel


def tried(
    bench: Workbench, name: str, questions: Iterable[Question], path: Path | None, *, stage: str
) -> dict[str, Answer]:
    """Ident → the answer of the student's own model, or of the weights in `path`; kept under `name`."""
    known = bench.folder.unseal(name, dict[str, Answer]) or {}
    missing = [each for each in questions if each.ident not in known]
    if not missing:
        return known
    total = len(known) + len(missing)
    bench.report(stage, len(known), total, None)
    for part in _ask(bench, missing, path):
        known |= part
        bench.folder.seal(name, known)
        bench.report(stage, len(known), total, None)
    return known


def _ask(bench: Workbench, questions: Sequence[Question], path: Path | None) -> Iterator[dict[str, Answer]]:
    level = bench.job.student
    loaded = bench.model(level, path)
    check_output_layer(loaded.model, str(loaded.folder))
    prompts = {each.ident: loaded.tokenizer.encode(loaded.tokenizer.render(each.messages)).ids for each in questions}
    fitting = {ident: prompt for ident, prompt in prompts.items() if len(prompt) < loaded.context}
    if len(fitting) < len(prompts):
        yield {ident: Answer(text="") for ident in prompts.keys() - fitting.keys()}
    room, at_once = level.max_new_tokens, bench.job.settings.teach.at_once
    for part in answering.batches(fitting, lambda prompt: len(prompt) + room, at_once):
        asked = [fitting[ident] for ident in part]
        rows = decode(loaded, asked, limit=room, check=bench.check)
        sure = _least(loaded, asked, rows)
        yield {
            ident: Answer(text=answering.text(loaded, row), manner=_manner(loaded, row, least))
            for ident, row, least in zip(part, rows, sure, strict=True)
        }


@torch.inference_mode()
def _least(loaded: LoadedModel, prompts: Sequence[Sequence[int]], rows: Sequence[list[int]]) -> list[float]:
    """Probability of the least sure token of each answer, in one pass over all of them; 0 for an empty one."""
    said = [index for index, row in enumerate(rows) if row]
    least = [0.0] * len(rows)
    if said:
        words = torch.tensor([token for index in said for token in rows[index]], device=loaded.device)

        def sure(logits: Tensor, part: slice) -> tuple[Tensor, ...]:
            return (logits.float().log_softmax(-1).gather(-1, words[part, None])[:, 0],)

        states = answer_states(loaded.model, [Said(list(prompts[index]), rows[index]) for index in said])
        (logprobs,) = by_chunk(loaded.model, states, CHUNK, sure)
        for index, each in zip(said, logprobs.split([len(rows[index]) for index in said]), strict=True):
            least[index] = float(each.min().exp())
    return least


@dataclass(frozen=True)
class Said:
    """A question and what was answered, in ids."""

    prompt: list[int]
    answer: list[int]


def _manner(loaded: LoadedModel, row: list[int], least: float) -> Manner:
    return Manner(
        tokens=len(row), repeated=repeated_share(row), finished=answering.ended(loaded, row), confidence=least
    )
