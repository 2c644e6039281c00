"""Questions put to models of this process, batch by batch, and answers written down as they come. Imports torch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from nodes.dream_consolidator.distiller import targets
from nodes.dream_consolidator.distiller.decoding import decode
from nodes.dream_consolidator.distiller.targets import Told, encode
from nodes.dream_consolidator.distiller.workbench import Workbench
from nodes.dream_consolidator.selection.select import Lesson, Question
from nodes.model_worker.levels import Level
from nodes.model_worker.loading import LoadedModel

K = TypeVar("K", int, str)
T = TypeVar("T")


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
    return kept(bench, name, questions, lambda missing: greedy(bench, missing, level, path, whole=whole))


def kept(
    bench: Workbench,
    name: str,
    questions: Iterable[Lesson | Question],
    ask: Callable[[Sequence[Lesson | Question]], Iterator[dict[str, str]]],
) -> dict[str, str]:
    """Ident → answer; those that are not known under `name` yet are asked for, and written down as they come."""
    known = bench.folder.unseal(name, dict[str, str]) or {}
    missing = {each.ident: each for each in questions if each.ident not in known}
    if not missing:
        return known
    total = len(known) + len(missing)
    bench.report("teach", len(known), total, None)
    for part in ask(list(missing.values())):
        known |= part
        bench.folder.seal(name, known)
        bench.report("teach", len(known), total, None)
    return known


def greedy(
    bench: Workbench,
    questions: Sequence[Lesson | Question],
    level: Level,
    path: Path | None = None,
    *,
    whole: bool = False,
) -> Iterator[dict[str, str]]:
    """As `answers`, batch by batch."""
    loaded = bench.model(level, path)
    prompts = {each.ident: loaded.tokenizer.encode(loaded.tokenizer.render(each.messages)).ids for each in questions}
    fitting = {ident: prompt for ident, prompt in prompts.items() if len(prompt) < loaded.context}
    if len(fitting) < len(prompts):
        yield dict.fromkeys(prompts.keys() - fitting.keys(), "")
    room = level.max_new_tokens
    for part in batches(fitting, lambda prompt: len(prompt) + room, bench.job.settings.teach.at_once):
        rows = decode(loaded, [fitting[ident] for ident in part], limit=room, check=bench.check)
        yield {
            ident: text(loaded, row) if ended(loaded, row) or not whole else ""
            for ident, row in zip(part, rows, strict=True)
        }


def distributions(
    bench: Workbench, lessons: Sequence[Lesson], level: Level, path: Path | None = None
) -> Iterator[dict[str, Told]]:
    """Ident → the lesson in the model's ids and what it would say, batch by batch, without those too long for it."""
    settings = bench.job.settings.teach
    loaded = bench.model(level, path)
    items = {lesson.ident: encode(loaded, lesson) for lesson in lessons}
    fitting = {ident: item for ident, item in items.items() if item.length <= loaded.context}
    for part in batches(fitting, lambda item: item.length, settings.at_once):
        asked = [fitting[ident] for ident in part]
        (said,) = targets.distributions(loaded, asked, k=settings.top_k, batch=len(asked), check=bench.check)
        yield {
            ident: Told(item.prompt, item.answer, target) for ident, item, target in zip(part, asked, said, strict=True)
        }


def batches(items: Mapping[K, T], length: Callable[[T], int], at_once: int) -> Iterator[list[K]]:
    """The keys, like lengths together, in batches of so many tokens at most, padding counted; at least one in each.

    On a processor a token of a small model takes as long for a few rows as for a hundred.
    """
    part: list[K] = []
    for key in sorted(items, key=lambda key: (length(items[key]), key)):
        if part and (len(part) + 1) * length(items[key]) > at_once:
            yield part
            part = []
        part.append(key)
    if part:
        yield part


def ended(loaded: LoadedModel, row: list[int]) -> bool:
    return bool(row) and row[-1] in loaded.stop_ids


def text(loaded: LoadedModel, row: list[int]) -> str:
    return loaded.tokenizer.decode(row).strip()
