"""The student learns: distributions are gathered, the loop runs, the candidate folder is written. Imports torch."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import msgspec
import torch

from nodes.dream_consolidator.distiller import answering, precision
from nodes.dream_consolidator.distiller.losses import Target
from nodes.dream_consolidator.distiller.onpolicy import STAGE, own_answers, understood
from nodes.dream_consolidator.distiller.parallel import ALONE, Crew
from nodes.dream_consolidator.distiller.targets import Item, Told, encode, pack, unpack
from nodes.dream_consolidator.distiller.teacher import Teacher
from nodes.dream_consolidator.distiller.training import Lessons, Trainer
from nodes.dream_consolidator.distiller.workbench import Roused, Workbench
from nodes.dream_consolidator.job import Job
from nodes.dream_consolidator.selection.select import Lesson
from nodes.model_worker import folder as folders
from nodes.model_worker import loading
from nodes.model_worker.levels import Level
from nodes.model_worker.loading import LoadedModel
from runtime.paths import write_atomically

_BESIDE_WEIGHTS = {".json", ".txt", ".jinja", ".model"}
_WRITTEN_ANEW = {"config.json", "model.safetensors.index.json"}


class Trained(msgspec.Struct, frozen=True, kw_only=True):
    """What training came to, apart from the weights."""

    steps: int = 0
    best_step: int = 0
    practised: int = 0
    """Steps of those that learned from the student's own answers."""
    parameters: int = 0
    distribution: bool = False
    too_long: int = 0


def study(
    bench: Workbench, teacher: Teacher, lessons: Sequence[Lesson], development: Sequence[Lesson], crew: Crew = ALONE
) -> Trained:
    """Train the student on the lessons, from its base model, and write the candidate folder."""
    record = bench.folder.path / "trained.json"
    if record.exists():
        return msgspec.json.decode(record.read_bytes(), type=Trained)
    told = _told(bench, teacher, (*lessons, *development))
    student = bench.model(_learning(bench.job))
    items = {each.ident: encode(student, each) for each in (*lessons, *development)}
    fitting = {ident: item for ident, item in items.items() if item.length <= student.context and ident in told}
    targets = _understood(fitting, told)
    assigned = [lesson for lesson in lessons if lesson.ident in fitting]
    learned, looked_at = _lessons(assigned, fitting, targets), _lessons(development, fitting, targets)
    if crew.size > 1:
        crew.tell(_assignment(learned, looked_at))
    trainer = Trainer(student.model, learned, looked_at, bench.job.settings.train, seed=bench.job.seed, crew=crew)

    def own() -> dict[int, tuple[Item, Target]]:
        asked = {index: assigned[index] for index in trainer.asked()}
        packed = own_answers(bench, teacher, student, asked, trainer.round)
        crew.tell(packed)
        return understood(packed, learned.items, student.context)

    _run(bench, trainer, crew, own)
    trainer.keep_best()
    go_back(student.model, loading.load(_learning(bench.job)).model, bench.job.settings.train.way)
    _write_candidate(student, bench.folder.candidate)
    bench.free()
    trained = Trained(
        steps=trainer.state.step,
        best_step=trainer.state.best_step,
        practised=0 if trainer.state.second is None else trainer.state.step - trainer.state.second,
        parameters=trainer.trained,
        distribution=targets is not None,
        too_long=len(items) - len(fitting),
    )
    write_atomically(record, msgspec.json.encode(trained))
    return trained


def assist(job: Job, crew: Crew, check: Callable[[], None]) -> None:
    """Train beside the first process of the crew, to the end. Raises `Roused` where it dismisses this one."""
    learned, looked_at = _assigned(crew.listen())
    student = loading.load(_learning(job))
    trainer = Trainer(student.model, learned, looked_at, job.settings.train, seed=job.seed, crew=crew)
    trainer.resume(Path())

    def own() -> dict[int, tuple[Item, Target]]:
        return understood(crew.listen(), learned.items, student.context)

    train(trainer, crew, check, own, lambda _: None)


def train(
    trainer: Trainer,
    crew: Crew,
    check: Callable[[], None],
    own: Callable[[], dict[int, tuple[Item, Target]]],
    done: Callable[[float], None],
) -> None:
    """All steps there are, unless somebody wakes up; `done` gets the loss of each. The same in every process."""
    while not trainer.over:
        crew.agree(check)
        if trainer.awaits_answers:
            trainer.learn_from(own())
        done(trainer.step())
    crew.disperse()


def _run(bench: Workbench, trainer: Trainer, crew: Crew, own: Callable[[], dict[int, tuple[Item, Target]]]) -> None:
    """Train to the end, or to where somebody wakes up; then with a checkpoint on disk."""
    trainer.resume(bench.folder.checkpoint)
    settings, saved = bench.job.settings.train, time.monotonic()

    def done(loss: float) -> None:
        nonlocal saved
        stage = "train" if trainer.state.second is None else STAGE
        bench.report(stage, trainer.state.step * settings.batch, trainer.steps * settings.batch, loss)
        if time.monotonic() - saved >= settings.checkpoint:
            trainer.save(bench.folder.checkpoint)
            saved = time.monotonic()

    try:
        train(trainer, crew, bench.check, own, done)
    except Roused:
        trainer.save(bench.folder.checkpoint)
        raise


def _learning(job: Job) -> Level:
    """The student's level, its weights in the dtype in which they are trained."""
    stored = folders.open_folder(loading.locate(job.student)).stored_dtype
    held = precision.held(job.settings.train, loading.settled_device(job.student), stored)
    return msgspec.structs.replace(job.student, dtype=held)


@torch.no_grad()
def go_back(learned: Any, before: Any, way: float) -> None:
    """Leave the learned model at `way` (0..1) of the straight line from the one before.

    Along it what was gained grows late and what is forgotten grows last of all (Wortsman et al. 2022, figure 1).
    """
    for parameter, earlier in zip(learned.parameters(), before.parameters(), strict=True):
        parameter.lerp_(earlier, 1 - way)


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


def _lessons(lessons: Iterable[Lesson], items: Mapping[str, Item], targets: Mapping[str, Target] | None) -> Lessons:
    idents = [lesson.ident for lesson in lessons if lesson.ident in items]
    return Lessons(
        [items[ident] for ident in idents], None if targets is None else [targets[ident] for ident in idents]
    )


def _assignment(*sets: Lessons) -> bytes:
    """Lessons as they travel to the other processes of a crew."""
    return msgspec.msgpack.encode([(list(each.items), _packed(each)) for each in sets])


def _packed(lessons: Lessons) -> bytes | None:
    if lessons.targets is None:
        return None
    return pack({str(number): Told([], [], target) for number, target in enumerate(lessons.targets)})


def _assigned(data: bytes) -> list[Lessons]:
    found = []
    for items, packed in msgspec.msgpack.decode(data, type=list[tuple[list[Item], bytes | None]]):
        told = None if packed is None else unpack(packed)
        targets = None if told is None else [told[str(number)].target for number in range(len(items))]
        found.append(Lessons(items, targets))
    return found


def _write_candidate(trained: LoadedModel, path: Path) -> None:
    """A complete model folder at `path`: all of it or nothing."""
    beside = path.with_name(f".{path.name}")
    shutil.rmtree(beside, ignore_errors=True)
    base = folders.open_folder(trained.folder)
    trained.model.to(getattr(torch, base.stored_dtype)).save_pretrained(beside)
    for file in trained.folder.iterdir():
        if file.suffix in _BESIDE_WEIGHTS and file.name not in _WRITTEN_ANEW:
            shutil.copyfile(file, beside / file.name)
    shutil.rmtree(path, ignore_errors=True)
    beside.rename(path)
