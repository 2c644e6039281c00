"""The student's own answers, and what the teacher would have said in their place. Imports torch.

Drawn at temperature 1 from the student as it is when the round begins, told by the teacher, and sealed before any is
learned: a dream that is gone on with learns the same ones.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
import torch

from nodes.dream_consolidator.distiller.answering import batches, text
from nodes.dream_consolidator.distiller.decoding import decode
from nodes.dream_consolidator.distiller.losses import Target
from nodes.dream_consolidator.distiller.targets import Item, Told, encode, pack, unpack
from nodes.dream_consolidator.distiller.teacher import Teacher
from nodes.dream_consolidator.distiller.workbench import Workbench
from nodes.dream_consolidator.selection.select import Lesson
from nodes.model_worker.loading import LoadedModel

STAGE = "practise"
"""What progress calls the second phase: its answers, and the steps that learn them."""


def own_answers(
    bench: Workbench, teacher: Teacher, student: LoadedModel, lessons: Mapping[int, Lesson], number: int
) -> bytes:
    """What the student answers to the lessons of round `number`, and the teacher's word on it, for `understood`.

    An answer too long for the teacher is left out.
    """
    packed = bench.folder.unseal_bytes(f"own-{number}")
    if packed is None:
        told: dict[str, Told] = {}
        numbers = {lesson.ident: str(index) for index, lesson in lessons.items()}
        for part in teacher.distributions(_answered(bench, student, lessons, number)):
            bench.check()
            told |= {numbers[ident]: each for ident, each in part.items()}
        bench.free()  # a teacher that was loaded here: the student needs the room to learn
        packed = pack(told)
        bench.folder.seal_bytes(f"own-{number}", packed)
    return packed


def understood(packed: bytes, items: Sequence[Item], context: int) -> dict[int, tuple[Item, Target]]:
    """Number of a lesson among `items` → the student's own answer to it, and the teacher's word, if they fit."""
    found = {}
    for number, told in ((int(key), each) for key, each in unpack(packed).items()):
        own = Item(told.prompt, told.answer, weight=items[number].weight, verified=False, rehearsal=False)
        if own.length <= context:
            found[number] = (own, told.target)
    return found


def _answered(bench: Workbench, student: LoadedModel, lessons: Mapping[int, Lesson], number: int) -> list[Lesson]:
    """The lessons with what the student answers now and nobody has verified."""
    prompts = {index: encode(student, lesson).prompt for index, lesson in lessons.items()}
    generator = torch.Generator().manual_seed(bench.job.seed + number)
    limit, at_once = bench.job.student.max_new_tokens, bench.job.settings.teach.at_once
    found: list[Lesson] = []
    for part in batches(prompts, lambda prompt: len(prompt) + limit, at_once):
        asked = [prompts[index] for index in part]
        rows = decode(student, asked, limit=limit, check=bench.check, generator=generator)
        for index, row in zip(part, rows, strict=True):
            answer = text(student, row)
            found.append(msgspec.structs.replace(lessons[index], answer=answer, verified=False))
        bench.report(STAGE, len(found), len(lessons), None)
    return found
