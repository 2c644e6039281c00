"""The training process: `python -m nodes.dream_consolidator.distiller.distill JOB_FOLDER STATE_DIR [PARENT]`.

teach     the student, as it answers now, talks to itself and answers that and what judges; the teacher answers what
          has no trusted answer yet, and what judges; each says its distribution at every token of its lessons
train     the student, from its own model and not from earlier dreams, learns both
validate  the new weights answer what judges

Progress goes to stdout, one `DreamProgress` as JSON a line. Every stage writes down what it has; SIGTERM ends the
process at the next token or step with status `job.ROUSED`, and the same command goes on from there; so it does where
the teacher was away, which ends it with `job.AWAY` and the reason on the last line of stderr. It takes no more
memory than `train.memory` says. With a PARENT it dies when that process does. `torchrun` starts several that train
together (`parallel`): a dream that was interrupted can be gone on with so by hand, and its consolidator takes up what
came of it. Imports torch.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

import msgspec

from nodes.dream_consolidator.distiller.answering import answers, kept
from nodes.dream_consolidator.distiller.memory import OutOfMemory, allowed, limited
from nodes.dream_consolidator.distiller.parallel import ALONE, Crew, join
from nodes.dream_consolidator.distiller.soliloquy import self_asked
from nodes.dream_consolidator.distiller.study import Trained, assist, study
from nodes.dream_consolidator.distiller.teacher import Teacher, appointed
from nodes.dream_consolidator.distiller.trying import tried
from nodes.dream_consolidator.distiller.workbench import Away, Roused, Workbench
from nodes.dream_consolidator.job import AWAY, PURPOSE, ROUSED, JobFolder, Outcome
from nodes.dream_consolidator.selection import lessons as sorting
from nodes.dream_consolidator.selection.lessons import SelfAsked
from nodes.dream_consolidator.selection.select import Lesson, Material, Question
from nodes.model_worker.loading import settled_device
from protocol.messages.dream import DreamProgress
from runtime.sealing import Sealer
from runtime.verifiers import Verifier, load_verifiers

_REPORT_EVERY_S = 0.5
_PR_SET_PDEATHSIG = 1


def main(arguments: Sequence[str]) -> int:
    """0: the dream is over and its outcome written. `ROUSED`, `AWAY`: it goes on another time. Else: it failed."""
    path, state_dir = Path(arguments[0]), Path(arguments[1])
    for parent in map(int, arguments[2:]):
        _die_with(parent)
    roused: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: roused.append(number))

    def check() -> None:
        if roused:
            raise Roused

    folder = JobFolder(path, Sealer.load(state_dir, PURPOSE))
    job = folder.job()
    os.nice(job.settings.dream.niceness)
    crew = join(settled_device(job.student))
    try:
        with limited(allowed(job.settings.train.memory)):
            if crew.first:
                report = Reporter(path.name, sys.stdout, time.monotonic)
                bench = Workbench.prepare(folder, check, report, state_dir=state_dir, owe=report.owe)
                distill(bench, load_verifiers(), crew)
            else:
                assist(job, crew, check)
    except OutOfMemory as error:
        print(f"{error}; {error.remedy}", file=sys.stderr)
        return 1
    except Roused:
        crew.dismiss()
        return ROUSED
    except Away as away:
        crew.dismiss()
        print(away, file=sys.stderr)
        return AWAY
    crew.dismiss()
    return 0


def distill(bench: Workbench, verifiers: Sequence[Verifier], crew: Crew = ALONE) -> Outcome:
    """All stages of the dream in `bench`, from wherever it stands."""
    with appointed(bench) as teacher:
        return distill_from(teacher, bench, verifiers, crew)


def distill_from(teacher: Teacher, bench: Workbench, verifiers: Sequence[Verifier], crew: Crew = ALONE) -> Outcome:
    """As `distill`, from this teacher."""
    folder = bench.folder
    mine = prepared(bench, verifiers)
    # Before the teacher is asked: two models do not take turns in memory.
    before = tried(bench, "before", mine.judging, bench.in_force, stage="teach")
    base = tried(bench, "base", mine.judging, None, stage="teach") if bench.in_force else None
    lessons = gathered(teacher, bench, mine, verifiers)
    trained, trials = Trained(), []
    if lessons.taught:
        trained = study(bench, teacher, lessons.learned, lessons.development, crew)
        after = tried(bench, "after", mine.judging, folder.candidate, stage="validate")
        trials = sorting.trials(
            mine.judging,
            taught=frozenset(lesson.stratum for lesson in lessons.taught),
            teacher=lessons.told,
            before=before,
            after=after,
            base=base,
            verifiers=verifiers,
        )
    outcome = Outcome(
        trials=trials,
        base_version=bench.base_version,
        taught=len(lessons.taught),
        rehearsed=len(lessons.learned) - len(lessons.taught),
        refuted=lessons.refuted,
        too_long=trained.too_long,
        distribution=trained.distribution,
        steps=trained.steps,
        practised=trained.practised,
        best_step=trained.best_step,
        parameters=trained.parameters,
        teacher_version=teacher.version,
    )
    folder.finish(outcome)
    return outcome


@dataclass(frozen=True)
class Prepared:
    """What a dream rests on before its teacher is asked."""

    material: Material
    asked: SelfAsked
    own: Mapping[str, str]
    """Ident → the student's answer to what it asked itself."""

    @property
    def judging(self) -> Sequence[Question]:
        return (*self.material.held_out, *self.asked.held_out)


@dataclass(frozen=True)
class Gathered:
    """What is learned, each lesson with its answer."""

    learned: Sequence[Lesson]
    development: Sequence[Lesson]
    taught: Sequence[Lesson]
    """Of those learned, the ones that the dream is for; the others rehearse."""
    told: Mapping[str, str]
    """Ident → the teacher's answer."""
    refuted: int


def prepared(bench: Workbench, verifiers: Sequence[Verifier]) -> Prepared:
    """The student talks to itself and answers that."""
    asked = self_asked(bench)
    own = answers(bench, "own", (*asked.lessons, *asked.development), bench.job.student, bench.in_force, whole=True)
    return Prepared(bench.folder.material(), sorting.corrected(asked, own, verifiers), own)


def gathered(teacher: Teacher, bench: Workbench, mine: Prepared, verifiers: Sequence[Verifier]) -> Gathered:
    """The teacher answers what has no trusted answer, and what judges."""
    material, asked = mine.material, mine.asked
    told = kept(bench, "told", (*sorting.awaiting(material, asked), *mine.judging), teacher.answers)
    known = {**mine.own, **told}
    learned, refuted = sorting.answered((*material.lessons, *asked.lessons), known, verifiers)
    development, _ = sorting.answered((*material.development, *asked.development), known, verifiers)
    return Gathered(learned, development, sorting.taught(learned, material), told, refuted)


class Reporter:
    """Writes progress, not more often than twice a second within a stage."""

    def __init__(self, dream: str, out: TextIO, clock: Callable[[], float]) -> None:
        self._out, self._clock = out, clock
        self._stage, self._begun, self._first, self._said = "", 0.0, 0, 0.0
        self._progress = DreamProgress(dream=dream, stage="teach", done=0, total=1)

    def __call__(self, stage: str, done: int, total: int, loss: float | None) -> None:
        now = self._clock()
        # Fewer done than at first: another run through the same stage has begun.
        if stage != self._stage or done < self._first:
            self._stage, self._begun, self._first = stage, now, done
        elif now - self._said < _REPORT_EVERY_S and done < total:
            return
        self._said = now
        rate = (done - self._first) / (now - self._begun) if now > self._begun else 0.0
        self._progress = msgspec.structs.replace(
            self._progress,
            stage=stage,
            done=done,
            total=total,
            loss=loss,
            rate=rate,
            remaining_s=(total - done) / rate if rate else None,
        )
        self._print()

    def owe(self, cpu_s: float) -> None:
        """Say at once that so much more was spent by somebody else."""
        self._progress = msgspec.structs.replace(self._progress, called_cpu_s=self._progress.called_cpu_s + cpu_s)
        self._print()

    def _print(self) -> None:
        print(msgspec.json.encode(self._progress).decode(), file=self._out, flush=True)


def _die_with(parent: int) -> None:
    """Be killed when the parent dies, however it dies; at once where it has died already."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        raise SystemExit(f"process {parent}, which this dream belongs to, is gone")


if __name__ == "__main__":
    status = main(sys.argv[1:])
    sys.stdout.flush()
    # Python's own farewell to torch takes longer than somebody who was roused may wait; all there is, is on disk.
    os._exit(status)
