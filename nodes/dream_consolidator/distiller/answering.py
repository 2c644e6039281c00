"""Questions put to models, answers written down batch by batch as they come. Imports torch."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from random import Random

import torch

from nodes.dream_consolidator.distiller.decoding import decode
from nodes.dream_consolidator.distiller.targets import question_prefix
from nodes.dream_consolidator.distiller.workbench import Workbench
from nodes.dream_consolidator.selection import lessons as sorting
from nodes.dream_consolidator.selection.lessons import SelfAsked
from nodes.dream_consolidator.selection.select import Lesson, Question
from nodes.model_worker.levels import Level
from nodes.model_worker.loading import LoadedModel

_QUESTION_TOKENS = 64
"""A question that the student makes up and that has not ended by then is dropped."""


def self_asked(bench: Workbench) -> SelfAsked:
    """Questions drawn from the student as it answers now: it goes on from where the template lets a user speak."""
    known = bench.folder.unseal("asked", SelfAsked)
    if known is not None:
        return known
    wanted, batch = bench.job.settings.select.self_asked, bench.job.settings.teach.batch
    texts: list[str] = []
    if wanted:
        loaded = bench.model(bench.job.student, bench.in_force)
        generator = torch.Generator().manual_seed(bench.job.seed)
        prefix = question_prefix(loaded)
        for start in range(0, wanted, batch):
            bench.report("teach", start, wanted, None)
            prompts = [prefix] * min(batch, wanted - start)
            rows = decode(loaded, prompts, limit=_QUESTION_TOKENS, check=bench.check, generator=generator)
            texts += [_text(loaded, row) for row in rows if _ended(loaded, row)]
    random = Random(bench.job.seed)
    asked = sorting.sort_self_asked(texts, bench.folder.material().held_out, random)
    bench.folder.seal("asked", asked)
    return asked


def answers(
    bench: Workbench,
    name: str,
    questions: Iterable[Lesson | Question],
    level: Level,
    path: Path | None = None,
    *,
    whole: bool = False,
) -> dict[str, str]:
    """Ident → greedy answer of the level's base model, or of the weights in `path`; kept under `name`.

    Empty where the question leaves no room for one, and, with `whole`, where it ran into a limit.
    """
    known = bench.folder.unseal(name, dict[str, str]) or {}
    missing = {each.ident: each.messages for each in questions if each.ident not in known}
    if not missing:
        return known
    loaded = bench.model(level, path)
    prompts = {
        ident: loaded.tokenizer.encode(loaded.tokenizer.render(messages)).ids for ident, messages in missing.items()
    }
    known |= dict.fromkeys((ident for ident, prompt in prompts.items() if len(prompt) >= loaded.context), "")
    # Like lengths together: the longest of a batch decides how much is computed.
    order = sorted(prompts.keys() - known.keys(), key=lambda ident: (len(prompts[ident]), ident))
    batch, before = bench.job.settings.teach.batch, len(known)
    for start in range(0, len(order), batch):
        bench.report("validate" if name == "after" else "teach", before + start, before + len(order), None)
        part = order[start : start + batch]
        rows = decode(loaded, [prompts[ident] for ident in part], limit=level.max_new_tokens, check=bench.check)
        for ident, row in zip(part, rows, strict=True):
            known[ident] = _text(loaded, row) if _ended(loaded, row) or not whole else ""
        bench.folder.seal(name, known)
    return known


def _ended(loaded: LoadedModel, row: list[int]) -> bool:
    return bool(row) and row[-1] in loaded.stop_ids


def _text(loaded: LoadedModel, row: list[int]) -> str:
    return loaded.tokenizer.decode(row).strip()
