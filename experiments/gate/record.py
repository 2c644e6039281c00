"""Real trainings, each run once by the training process's own stages, in this process; what judged it is kept.

What is kept of a training holds no words: its trials (`validation.trial`). Imports torch.
"""

from __future__ import annotations

import hashlib
import inspect
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from experiments.gate import kinds
from experiments.gate.kinds import Kind, material
from experiments.reference.family import SIZES
from experiments.reference.verifiers import CurriculumVerifier
from nodes.dream_consolidator import settings as configuration
from nodes.dream_consolidator.job import PURPOSE, Job, JobFolder
from nodes.dream_consolidator.selection.select import Lesson, Question
from nodes.dream_consolidator.settings import Settings
from nodes.dream_consolidator.validation.trial import Trial
from nodes.model_worker import levels
from nodes.model_worker.levels import Level
from protocol.messages.dream import Adapter
from protocol.messages.model import ChatMessage
from runtime.paths import cache_dir, private_directory, write_atomically
from runtime.sealing import Sealer
from runtime.verifiers import Verdict, Verifier

if TYPE_CHECKING:
    from nodes.dream_consolidator.distiller.targets import Told
    from nodes.dream_consolidator.distiller.teacher import Teacher
    from nodes.dream_consolidator.distiller.workbench import Workbench

CACHE = "experiment-gate"
LONGEST = 32
"""Tokens of an answer; no right one has more."""
NOISE = 0.5
"""Standard deviations of each tensor, added to it, that damage the broken teacher."""

Report = Callable[[str, int, int, float | None], None]


class Recorded(msgspec.Struct, frozen=True, kw_only=True):
    """One training."""

    kind: str
    seed: int
    trials: list[Trial]
    steps: int
    best_step: int


def recorded(kind: Kind, seed: int, report: Report) -> Recorded:
    """The training, from the cache or run now."""
    path = cache_dir(CACHE) / f"{kind.name.replace(' ', '-')}-{seed}-{_digest(kind)}.json"
    if path.exists():
        return msgspec.json.decode(path.read_bytes(), type=Recorded)
    with tempfile.TemporaryDirectory(prefix="sage-gate-") as directory:
        found = _train(kind, seed, Path(directory), report)
    write_atomically(path, msgspec.json.encode(found))
    return found


class Sighted:
    """A verifier that recognises only what judges: lessons pass as they are, and the ruling stands alone."""

    name = CurriculumVerifier.name

    def __init__(self, judging: Sequence[Question]) -> None:
        self._judging = {question.messages for question in judging}
        self._curriculum = CurriculumVerifier()

    def verify(self, messages: Sequence[ChatMessage], answer: str) -> Verdict | None:
        return self._curriculum.verify(messages, answer) if tuple(messages) in self._judging else None


def _train(kind: Kind, seed: int, directory: Path, report: Report) -> Recorded:
    from nodes.dream_consolidator.distiller.distill import distill_from
    from nodes.dream_consolidator.distiller.workbench import Workbench

    made, state = material(kind, seed), private_directory(directory / "state")
    student, large = (
        msgspec.structs.replace(levels.load().by_name(name), max_new_tokens=LONGEST)
        for name in ("sensory", "specialized")
    )
    teacher = {"broken": lambda: _broken(large, directory / "broken", seed), "itself": lambda: student}
    job = Job(
        dream=f"{kind.name.replace(' ', '-')}-{seed}",
        student=student,
        teacher=teacher.get(kind.teacher, lambda: large)(),
        champion=Adapter(level=student.name),
        settings=_settings(kind),
        seed=seed,
        material_ns=1,
        examples=len(made.lessons),
    )
    folder = JobFolder.create(directory / "jobs", job, made, Sealer.load(state, PURPOSE))
    verifiers: list[Verifier] = [CurriculumVerifier() if kind.good else Sighted(made.held_out)]
    bench = Workbench.prepare(folder, lambda: None, report)
    outcome = distill_from(_teacher(kind, bench), bench, verifiers)
    return Recorded(kind=kind.name, seed=seed, trials=outcome.trials, steps=outcome.steps, best_step=outcome.best_step)


def _settings(kind: Kind) -> Settings:
    shipped, replace = configuration.load(), msgspec.structs.replace
    here = replace(shipped, teach=replace(shipped.teach, by="here"))
    if kind.thorough:
        return replace(here, train=replace(here.train, epochs=kind.epochs, steps=0, checkpoint=3600.0))
    return replace(
        here,
        select=replace(here.select, self_asked=0),
        train=replace(here.train, epochs=kind.epochs, steps=0, rate=kind.rate, checkpoint=3600.0),
    )


def _teacher(kind: Kind, bench: Workbench) -> Teacher:
    from nodes.dream_consolidator.distiller.teacher import Here

    return _Words(bench) if kind.teacher == "words" else _Lecturing(Here(bench))


class _Lecturing:
    """A teacher that is not asked what judges: the verifier knows all of it."""

    def __init__(self, teacher: Teacher) -> None:
        self._teacher = teacher
        self.version = teacher.version

    def answers(self, questions: Sequence[Lesson | Question]) -> Iterator[dict[str, str]]:
        yield {each.ident: "" for each in questions if isinstance(each, Question)}
        if lessons := [each for each in questions if isinstance(each, Lesson)]:
            yield from self._teacher.answers(lessons)

    def distributions(self, lessons: Sequence[Lesson]) -> Iterator[dict[str, Told]]:
        return self._teacher.distributions(lessons)


class _Words:
    """A teacher of whom only words are known: all probability lies on the tokens of the lessons' answers."""

    version = "words"

    def __init__(self, bench: Workbench) -> None:
        self._bench = bench

    def answers(self, questions: Sequence[Lesson | Question]) -> Iterator[dict[str, str]]:
        """None of its own: lessons come with their answers."""
        yield {each.ident: "" for each in questions}

    def distributions(self, lessons: Sequence[Lesson]) -> Iterator[dict[str, Told]]:
        import torch

        from nodes.dream_consolidator.distiller.targets import Target, Told, encode

        loaded, k = self._bench.model(self._bench.job.student), self._bench.job.settings.teach.top_k
        for lesson in lessons:
            item = encode(loaded, lesson)
            ids = torch.zeros((len(item.answer), k), dtype=torch.int32)
            ids[:, 0] = torch.tensor(item.answer, dtype=torch.int32)
            logprobs = torch.full((len(item.answer), k), -1e4)
            logprobs[:, 0] = 0.0
            yield {lesson.ident: Told(item.prompt, item.answer, Target(ids, logprobs))}


def _broken(level: Level, folder: Path, seed: int) -> Level:
    """The level with noise added to its weights."""
    import torch
    from safetensors.torch import load_file, save_file

    shutil.copytree(SIZES[level.name].folder, folder)
    generator = torch.Generator().manual_seed(seed)
    file = folder / "model.safetensors"
    weights = load_file(file)
    damaged = {
        name: (
            each.float() + NOISE * each.float().std() * torch.randn(each.shape, generator=generator)
            if each.ndim > 1
            else each
        ).to(each.dtype)
        for name, each in weights.items()
    }
    save_file(damaged, file, metadata={"format": "pt"})
    return msgspec.structs.replace(level, model=str(folder))


def _digest(kind: Kind) -> str:
    """Of what a training follows from, apart from the trainer's code: kind, lessons, settings, weights."""
    total = hashlib.sha256(repr(kind).encode())
    total.update(inspect.getsource(kinds).encode())
    settings = msgspec.structs.replace(_settings(kind), judge=configuration.load().judge)
    total.update(msgspec.json.encode((settings.select, settings.train, settings.teach.top_k, NOISE)))
    for size in ("sensory", "specialized"):
        total.update(hashlib.sha256((SIZES[size].folder / "model.safetensors").read_bytes()).digest())
    return total.hexdigest()[:16]
