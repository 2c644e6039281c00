"""The student learns: distributions are gathered, the loop runs, the candidate folder is written. Imports torch."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from pathlib import Path

import msgspec
import torch

from nodes.dream_consolidator.distiller import answering
from nodes.dream_consolidator.distiller.targets import Item, Target, Told, encode, pack, unpack
from nodes.dream_consolidator.distiller.teacher import Teacher
from nodes.dream_consolidator.distiller.training import Lessons, Trainer
from nodes.dream_consolidator.distiller.workbench import Roused, Workbench
from nodes.dream_consolidator.selection.select import Lesson
from nodes.model_worker.loading import LoadedModel
from runtime.paths import write_atomically

_BESIDE_WEIGHTS = {".json", ".txt", ".jinja", ".model"}
_WRITTEN_ANEW = {"config.json", "model.safetensors.index.json"}


class Trained(msgspec.Struct, frozen=True, kw_only=True):
    """What training came to, apart from the weights."""

    steps: int = 0
    best_step: int = 0
    parameters: int = 0
    distribution: bool = False
    too_long: int = 0


def study(bench: Workbench, teacher: Teacher, lessons: Sequence[Lesson], development: Sequence[Lesson]) -> Trained:
    """Train the student on the lessons, from its base model, and write the candidate folder."""
    record = bench.folder.path / "trained.json"
    if record.exists():
        return msgspec.json.decode(record.read_bytes(), type=Trained)
    told = _told(bench, teacher, (*lessons, *development))
    # Small steps are lost in bfloat16: the student learns in float32 and is written as its own model is stored.
    student = bench.model(msgspec.structs.replace(bench.job.student, dtype="float32"))
    items = {each.ident: encode(student, each) for each in (*lessons, *development)}
    fitting = {ident: item for ident, item in items.items() if item.length <= student.context and ident in told}
    targets = _understood(fitting, told)
    trainer = Trainer(
        student.model,
        _lessons(lessons, fitting, targets),
        _lessons(development, fitting, targets),
        bench.job.settings.train,
        seed=bench.job.seed,
    )
    _run(bench, trainer)
    trainer.keep_best()
    _write_candidate(student, bench.folder.candidate)
    bench.free()
    trained = Trained(
        steps=trainer.state.step,
        best_step=trainer.state.best_step,
        parameters=trainer.trained,
        distribution=targets is not None,
        too_long=len(items) - len(fitting),
    )
    write_atomically(record, msgspec.json.encode(trained))
    return trained


def _told(bench: Workbench, teacher: Teacher, lessons: Sequence[Lesson]) -> dict[str, Told]:
    """Ident → the lesson in its source's ids, and what the source would say; without those too long for it."""
    packed = bench.folder.unseal_bytes("targets")
    if packed is None:
        taught = [lesson for lesson in lessons if lesson.source == "teacher"]
        own = [lesson for lesson in lessons if lesson.source == "self"]
        told: dict[str, Told] = {}
        for part in chain(
            teacher.distributions(taught), answering.distributions(bench, own, bench.job.student, bench.in_force)
        ):
            told |= part
            bench.report("teach", len(told), len(lessons), None)
        packed = pack(told)
        bench.folder.seal_bytes("targets", packed)
    return unpack(packed)


def _understood(items: Mapping[str, Item], told: Mapping[str, Told]) -> dict[str, Target] | None:
    """The target of every item; None where a source spells a lesson in other ids than the student.

    Its distribution would mean nothing to the student then: only its words are learned.
    """
    if any((told[ident].prompt, told[ident].answer) != (item.prompt, item.answer) for ident, item in items.items()):
        return None
    return {ident: told[ident].target for ident in items}


def _lessons(lessons: Iterable[Lesson], items: dict[str, Item], targets: dict[str, Target] | None) -> Lessons:
    idents = [lesson.ident for lesson in lessons if lesson.ident in items]
    return Lessons(
        [items[ident] for ident in idents], None if targets is None else [targets[ident] for ident in idents]
    )


def _run(bench: Workbench, trainer: Trainer) -> None:
    """Train to the end, or to where somebody wakes up; then with a checkpoint on disk."""
    trainer.resume(bench.folder.checkpoint)
    every = bench.job.settings.train.checkpoint
    saved = time.monotonic()
    while not trainer.over:
        try:
            bench.check()
        except Roused:
            trainer.save(bench.folder.checkpoint)
            raise
        loss = trainer.step()
        bench.report("train", trainer.state.step, trainer.steps, loss)
        if time.monotonic() - saved >= every:
            trainer.save(bench.folder.checkpoint)
            saved = time.monotonic()


def _write_candidate(trained: LoadedModel, path: Path) -> None:
    """A complete model folder at `path`: all of it or nothing."""
    from nodes.model_worker.folder import open_folder

    beside = path.with_name(f".{path.name}")
    shutil.rmtree(beside, ignore_errors=True)
    base = open_folder(trained.folder)
    trained.model.to(getattr(torch, base.stored_dtype)).save_pretrained(beside)
    for file in trained.folder.iterdir():
        if file.suffix in _BESIDE_WEIGHTS and file.name not in _WRITTEN_ANEW:
            shutil.copyfile(file, beside / file.name)
    shutil.rmtree(path, ignore_errors=True)
    beside.rename(path)
