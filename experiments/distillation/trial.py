"""One arm on one day: the training process of a dream, run as the consolidator runs it, then the exam.

What a trial found is kept; one that was interrupted is gone on with, from its last checkpoint.
"""

from __future__ import annotations

import hashlib
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

import msgspec

import nodes.dream_consolidator
from experiments.distillation.arms import Arm
from experiments.distillation.exam import Marks, examine
from experiments.distillation.lived import CACHE
from experiments.distillation.world import World
from experiments.reference.family import SIZES
from nodes.dream_consolidator import settings as configuration
from nodes.dream_consolidator.collector.examples import Example, from_offer
from nodes.dream_consolidator.job import PURPOSE, Job, JobFolder
from nodes.dream_consolidator.selection.select import Lesson, Material, select
from nodes.dream_consolidator.settings import Settings
from nodes.dream_consolidator.validation.ruling import rule
from nodes.model_worker import levels
from protocol.errors import SageError
from protocol.messages.dream import Adapter, DreamProgress, Keep
from runtime.paths import cache_dir, private_directory, write_atomically
from runtime.sealing import Sealer

HELD_OUT = 0.15
"""Share of the day's questions that judge inside the dream: fewer than as it ships, because the exam follows anyway."""
DISTILL = "nodes.dream_consolidator.distiller.distill"
SECRET = b"experiment-distillation"

Report = Callable[[str], None]


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """What one trial came to."""

    marks: Marks
    promoted: bool
    """What the dream itself would have ruled."""
    why: str
    taught: int
    rehearsed: int
    steps: int
    best_step: int
    parameters: int
    wall_s: float
    cpu_s: float
    """Of the training process: teaching, training and the dream's own validation."""
    peak_bytes: int
    candidate_bytes: int


class Took(msgspec.Struct, frozen=True, kw_only=True):
    """Of the training process, in all its stretches."""

    wall_s: float = 0.0
    cpu_s: float = 0.0
    peak_bytes: int = 0

    def further(self, wall_s: float, usage: resource.struct_rusage) -> Took:
        """With another stretch; `usage` is of its process alone."""
        return Took(
            wall_s=self.wall_s + wall_s,
            cpu_s=self.cpu_s + usage.ru_utime + usage.ru_stime,
            peak_bytes=max(self.peak_bytes, usage.ru_maxrss * 1024),
        )


@dataclass(frozen=True)
class Trial:
    world: World
    arm: Arm
    seed: int
    kept: Sequence[Keep]
    """What is learned from."""
    counts: dict[tuple[str, int], int]

    def run(self, report: Report) -> Found:
        """Raises SageError where the training process fails; what it wrote last is in the message."""
        home = private_directory(cache_dir(CACHE) / f"trial-{self._digest()[:16]}")
        record = home / "found.json"
        if record.exists():
            return msgspec.json.decode(record.read_bytes(), type=Found)
        sealer = Sealer.load(private_directory(home / "state"), PURPOSE)
        folder = JobFolder.unfinished(home / "jobs", sealer) or self.new_folder(home / "jobs", sealer)
        self._dream(folder, home / "state", report)
        found = self._examined(folder, report)
        write_atomically(record, msgspec.json.encode(found))
        folder.remove()
        shutil.rmtree(home / "state")
        return found

    def settings(self) -> Settings:
        shipped, replace = configuration.load(), msgspec.structs.replace
        chosen = replace(shipped.select, held_out=HELD_OUT, **self.arm.select)
        lessons = round(self.world.taught / (1 - chosen.rehearsal))
        return replace(
            shipped,
            select=replace(chosen, lessons=lessons),
            teach=replace(shipped.teach, by="here"),
            train=replace(shipped.train, **self.arm.train),
        )

    def new_folder(self, jobs: Path, sealer: Sealer) -> JobFolder:
        settings = self.settings()
        material = self._material(settings)
        shipped = levels.load()
        job = Job(
            dream=f"{self.seed}-{self.arm.name.replace(' ', '-')}",
            student=shipped.by_name(self.world.student),
            teacher=shipped.by_name(self.world.teacher),
            champion=Adapter(level=self.world.student),
            settings=settings,
            seed=self.seed,
            material_ns=1,
            examples=len(self.kept),
        )
        return JobFolder.create(jobs, job, material, sealer)

    def _material(self, settings: Settings) -> Material:
        random = Random(f"{self.arm.name}/{self.seed}")
        examples = [from_offer(keep, number) for number, keep in enumerate(self.kept, start=1)]
        if self.arm.salience == "shuffled":
            examples = shuffled(examples, random)
        if self.arm.draw == "top":
            every = msgspec.structs.replace(settings.select, lessons=2 * len(examples))
            material = self._selected(examples, every, random)
            return top(material, examples, self.world.taught, settings.select.lessons - self.world.taught)
        return self._selected(examples, settings.select, random)

    def _selected(self, examples: Sequence[Example], settings: configuration.Select, random: Random) -> Material:
        return select(
            examples,
            student=self.world.student,
            levels=levels.load().names,
            settings=settings,
            secret=SECRET,
            random=random,
        )

    def _dream(self, folder: JobFolder, state: Path, report: Report) -> None:
        """Run the training process to its end, and add what it took to what it had taken before."""
        began = time.monotonic()
        # What it complains of goes to a file: a pipe that nobody reads would stop it when it is full.
        with tempfile.TemporaryFile() as complaints:
            process = subprocess.Popen(
                [sys.executable, "-m", DISTILL, str(folder.path), str(state), str(os.getpid())],
                stdout=subprocess.PIPE,
                stderr=complaints,
                env={**os.environ, "OMP_NUM_THREADS": "1"},
            )
            try:
                for line in process.stdout or ():
                    progress = msgspec.json.decode(line, type=DreamProgress)
                    report(f"{self.arm.name}, day {self.seed}: {progress.stage} {progress.done}/{progress.total}")
            finally:
                # Not by `terminate`, which would take its status. It writes down where it stands, if it has not ended.
                os.kill(process.pid, signal.SIGTERM)
                _, status, usage = os.wait4(process.pid, 0)
                process.returncode = os.waitstatus_to_exitcode(status)
                before = folder.unseal("took", Took) or Took()
                folder.seal("took", before.further(time.monotonic() - began, usage))
            if process.returncode != 0:
                complaints.seek(0)
                raise SageError(
                    f"its training process ended with status {process.returncode}: {_tail(complaints.read())}",
                    place=f"{self.arm.name}, day {self.seed}",
                )

    def _examined(self, folder: JobFolder, report: Report) -> Found:
        outcome, took = folder.outcome(), folder.unseal("took", Took)
        assert outcome is not None, "a training process that ended well has written it"
        assert took is not None
        ruling = rule(outcome.trials, folder.job().settings.judge)
        return Found(
            marks=examine(folder.candidate, self.counts, self.world.seed, report),
            promoted=ruling.promoted,
            why=ruling.why,
            taught=outcome.taught,
            rehearsed=outcome.rehearsed,
            steps=outcome.steps,
            best_step=outcome.best_step,
            parameters=outcome.parameters,
            wall_s=took.wall_s,
            cpu_s=took.cpu_s,
            peak_bytes=took.peak_bytes,
            candidate_bytes=(folder.candidate / "model.safetensors").stat().st_size,
        )

    def _digest(self) -> str:
        """What a trial follows from: what is fixed, the day, the settings, the models and the code of the dreamer."""
        whole = hashlib.sha256(repr((self.arm, self.seed, sorted(self.counts.items()))).encode())
        whole.update(msgspec.json.encode((self.world, self.settings(), self.kept)))
        for size in (self.world.student, self.world.teacher):
            whole.update((SIZES[size].folder / "model.safetensors").read_bytes())
        package = Path(nodes.dream_consolidator.__file__).parent
        for room in ("distiller", "selection"):
            for path in sorted((package / room).glob("*.py")):
                whole.update(path.read_bytes())
        return whole.hexdigest()


def shuffled(examples: Sequence[Example], random: Random) -> list[Example]:
    """The same examples, each with the salience of another."""
    saliences = [example.salience for example in examples]
    random.shuffle(saliences)
    return [
        msgspec.structs.replace(example, salience=salience)
        for example, salience in zip(examples, saliences, strict=True)
    ]


def top(material: Material, examples: Sequence[Example], taught: int, rehearsed: int) -> Material:
    """The most salient lessons alone, all of one weight; the most salient that the student mastered rehearse."""
    salience = {example.exchange: example.salience for example in examples}

    def best(source: str, count: int) -> list[Lesson]:
        lessons = [lesson for lesson in material.lessons if lesson.source == source]
        lessons.sort(key=lambda lesson: (-salience[lesson.ident], lesson.ident))
        return [msgspec.structs.replace(lesson, weight=1.0) for lesson in lessons[:count]]

    return msgspec.structs.replace(material, lessons=(*best("teacher", taught), *best("self", rehearsed)))


def _tail(complaints: bytes) -> str:
    return complaints.decode(errors="replace").strip()[-500:] or "it said nothing"
