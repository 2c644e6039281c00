"""Held-out questions put to a model, row by row. The same for every model: what one of them answers is paired."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Mapping
from pathlib import Path

import msgspec

from experiments.distillation.lived import CACHE
from experiments.reference.curriculum import questions
from experiments.reference.evaluate import ask, load
from experiments.reference.skills import SKILLS, rows
from experiments.reference.split import Split
from experiments.reference.verifiers import right
from runtime.paths import cache_dir, write_atomically

Marks = Mapping[str, Mapping[int, list[bool]]]
"""Skill → difficulty → which answers were right. Fewer questions are the first of more."""


def examine(folder: Path, counts: Mapping[tuple[str, int], int], seed: int, report: Callable[[str], None]) -> Marks:
    """Marks of the model in `folder`, from the cache or anew; `counts`: row → questions."""
    path = cache_dir(CACHE) / f"exam-{_digest(folder, counts, seed)[:16]}.msgpack"
    if path.exists():
        return msgspec.msgpack.decode(path.read_bytes(), type=dict[str, dict[int, list[bool]]])
    model, tokenizer = load(folder)
    marks: dict[str, dict[int, list[bool]]] = {}
    for (skill, difficulty), count in counts.items():
        asked = questions(Split.HELD_OUT, skill, difficulty, seed, count)
        answers = ask(model, tokenizer, asked)
        marks.setdefault(skill, {})[difficulty] = [
            right(SKILLS[skill], answer.text, one.answer) for answer, one in zip(answers, asked, strict=True)
        ]
        report(f"examining {skill}/{difficulty}")
    write_atomically(path, msgspec.msgpack.encode(marks))
    return marks


def counts(targets: Collection[str], *, target: int, old: int) -> dict[tuple[str, int], int]:
    """How many questions of every row: `target` of the skills that were to be learned, `old` of all others."""
    return {row: target if row[0] in targets else old for row in rows()}


def _digest(folder: Path, counts: Mapping[tuple[str, int], int], seed: int) -> str:
    whole = hashlib.sha256((folder / "model.safetensors").read_bytes())
    whole.update(repr((sorted(counts.items()), seed)).encode())
    return whole.hexdigest()
