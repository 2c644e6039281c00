"""Dreams, one at a time: what is worth dreaming of, the training process, and what follows from what it found.

A dream that is interrupted stays in its folder and is gone on with before another begins. Whatever happens, what a
level answers with changes only by a promotion, and a promotion only follows from a ruling.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import resource
import sys
from collections import deque
from collections.abc import Awaitable, Callable, Collection, Coroutine, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import msgspec

from nodes.dream_consolidator import schedule
from nodes.dream_consolidator.adapters.lineage import Made, settings_digest
from nodes.dream_consolidator.adapters.registry import Adapters
from nodes.dream_consolidator.collector.examples import Example
from nodes.dream_consolidator.collector.store import Collector
from nodes.dream_consolidator.job import AWAY, PURPOSE, ROUSED, Job, JobFolder, Outcome, leg_of
from nodes.dream_consolidator.journal import Journal
from nodes.dream_consolidator.purse import Stretch
from nodes.dream_consolidator.selection.select import Material, select
from nodes.dream_consolidator.settings import Dreaming, Settings
from nodes.dream_consolidator.validation.ruling import Ruling, rule
from nodes.dream_consolidator.validation.verdict import page
from nodes.model_worker import levels as model_levels
from nodes.model_worker.levels import Level, Levels
from protocol.errors import ConfigError, SealError
from protocol.messages.dream import Adapter, DreamBacklog, DreamCompleted, DreamProgress
from runtime.clock import Clock
from runtime.paths import private_directory, write_atomically
from runtime.sealing import Sealer
from runtime.vitals import processor_s

NOTHING = Material(lessons=(), development=(), held_out=())
_LAST_LINES = 20
"""Of what a failed training process wrote."""

OnProgress = Callable[[DreamProgress], None]


@dataclass(frozen=True)
class Candidate:
    """A level that could dream."""

    level: str
    material: Material
    fresh: int
    """Examples that came since its last dream read the store."""
    dreamt_ns: int
    """When that was; 0 for never."""
    due: bool = False
    """Whether what it answers with rests on what was forgotten since: then it need not wait for new examples."""
    not_due: str = ""
    """Why it is not its time; empty where it is."""


@dataclass(frozen=True)
class Ended:
    """One stretch of a dream is over, and perhaps the dream."""

    completed: DreamCompleted
    leg: str
    """Names this stretch alone: what it cost is settled under it. Empty: none was begun."""
    promoted: Adapter | None = None
    last_lines: str = ""
    """What the training process wrote last, where it failed."""
    away: str = ""
    """Why its teacher was not there, where that is what ended the stretch."""


class Dreamer:
    """Runs dreams over the store. `dream` runs one or goes on with one; `interrupt` stops it within the grace."""

    def __init__(
        self,
        *,
        collector: Collector,
        journal: Journal,
        adapters: Adapters,
        settings: Settings,
        levels: Levels,
        state_dir: Path,
        clock: Clock,
        afford: Callable[[Stretch], Awaitable[str]],
    ) -> None:
        """`afford`: have energy held for a stretch; why it may not begin, empty if it may."""
        self._collector = collector
        self._journal = journal
        self._adapters = adapters
        self._settings = settings
        self._levels = levels
        self._state_dir = state_dir
        self._clock = clock
        self._afford = afford
        self._sealer = Sealer.load(state_dir, PURPOSE)
        self._jobs = state_dir / "dream" / "jobs"
        self.void = JobFolder.remove_void(self._jobs, self._sealer)
        """Dreams that cannot be gone on with and are begun anew: name → why."""
        self._process: asyncio.subprocess.Process | None = None
        self._roused = False
        self._poor = ""
        """Why it is not dreamt on, where that is for want of energy."""
        self._called_s = 0.0
        """Processor seconds that a called teacher spent for the stretch under way."""
        self._spent_s = 0.0
        """What the stretch that is over took in all."""

    def dream(self, ident: str, on_progress: OnProgress, *, asked: bool = False) -> Coroutine[Any, Any, Ended]:
        """Go on with the dream that was interrupted, else begin one named `ident` if there is enough to learn.

        `asked`: somebody wants one now, so that anything new is enough.
        """
        # Here and not where the coroutine begins to run: an interruption in between must hold.
        self._roused, self._poor, self._spent_s = False, "", 0.0
        return self._dream(ident, on_progress, asked)

    def backlog(self) -> DreamBacklog:
        """What `dream` would go on with or begin now."""
        if (folder := JobFolder.unfinished(self._jobs, self._sealer)) is not None:
            return DreamBacklog(examples=max(1, folder.job().examples))
        chosen, why = self._choose()
        examples = len(chosen.material.lessons) if chosen else 0
        return DreamBacklog(examples=examples, why=why, retrain=self._due())

    def give_up(self, exchanges: Collection[str]) -> str:
        """Give up the unfinished dream if it rests on any of these; its name, or empty.

        One that is under way is still to be interrupted.
        """
        folder = JobFolder.unfinished(self._jobs, self._sealer)
        if folder is None or not _rests_on(folder, exchanges):
            return ""
        folder.give_up()
        return folder.path.name

    def clear(self) -> None:
        """Remove what is left of a dream that was given up and is not under way."""
        JobFolder.unfinished(self._jobs, self._sealer)

    def spent_s(self) -> float:
        """Processor seconds of the training process and its called teacher so far, however the process ended."""
        process = self._process
        if process is None or process.returncode is not None:
            return self._spent_s
        return processor_s(process.pid) + self._called_s

    async def interrupt(self, poor: str = "") -> None:
        """Stop the training process: it has the grace to write where it stands, then it is killed.

        `poor`: why there is no energy to go on, where that is why.
        """
        self._roused, self._poor = True, poor or self._poor
        process = self._process
        if process is None or process.returncode is not None:
            return
        process.terminate()
        try:
            async with asyncio.timeout(self._settings.dream.grace):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()

    async def _dream(self, ident: str, on_progress: OnProgress, asked: bool) -> Ended:
        folder = JobFolder.unfinished(self._jobs, self._sealer)
        if folder is not None:
            job = folder.job()
            poor = "" if folder.outcome() else await self._poor_for(job.dream, job.student, folder.legs())
            return _not_begun(job.dream, job.student.name, poor) if poor else await self._leg(folder, on_progress)
        on_progress(DreamProgress(dream=ident, stage="collect", done=0, total=1))
        while True:
            forgettings = self._collector.forgettings
            chosen, why = self._choose(asked=asked)
            if chosen is None:
                return Ended(DreamCompleted(dream=ident, level="", promoted=False, why=why), "")
            if poor := await self._poor_for(ident, self._levels.by_name(chosen.level), legs=0):
                return _not_begun(ident, chosen.level, poor)
            if forgettings == self._collector.forgettings:  # else what was chosen may have been forgotten meanwhile
                break
        folder = JobFolder.create(self._jobs, self._job(ident, chosen), chosen.material, self._sealer)
        return await self._leg(folder, on_progress)

    async def _poor_for(self, dream: str, student: Level, legs: int) -> str:
        """Why the account does not bear another stretch of the dream, after so many; empty where it does."""
        leg = leg_of(dream, legs + 1)
        return await self._afford(Stretch(leg=leg, dream=dream, level=student.name, device=student.device))

    def _choose(self, *, asked: bool = False) -> tuple[Candidate | None, str]:
        dreamt_ns = {level: self._journal.material_ns(level) for level in self._settings.students}
        fresh = {level: self._collector.received_since(moment) for level, moment in dreamt_ns.items()}
        due, settings = self._due(), self._settings.dream
        if fresh and not due and not any(fresh.values()):  # told without reading any
            return None, "; ".join(
                f"{level}: 0 of {settings.fresh} new examples since its last dream" for level in fresh
            )
        examples = self._collector.examples()
        candidates = []
        for level in filter(self._teacher, self._settings.students):
            not_due = schedule.not_due(self._need(examples, level, level in due), settings, asked=asked)
            candidates.append(
                Candidate(
                    level=level,
                    material=NOTHING if not_due else self._material(examples, level),
                    fresh=fresh[level],
                    dreamt_ns=dreamt_ns[level],
                    due=level in due,
                    not_due=not_due,
                )
            )
        return choose(candidates, settings)

    def _need(self, examples: Sequence[Example], level: str, must: bool) -> schedule.Need:
        return schedule.need(
            examples,
            self._settings.dream,
            since_ns=self._journal.material_ns(level),
            ended_ns=self._journal.ended_ns(level),
            now_ns=self._clock.wall_ns(),
            must=must,
            on_trial=self._adapters.challenger(level) is not None,
        )

    def _due(self) -> list[str]:
        return [level for level in self._settings.students if self._adapters.due(level)]

    def _material(self, examples: Sequence[Example], level: str) -> Material:
        return select(
            examples,
            student=level,
            levels=self._levels.names,
            settings=self._settings.select,
            secret=self._collector.secret,
            random=Random(f"{level}/{self._clock.wall_ns()}"),
            turn=self._adapters.current(level).turn + 1,
        )

    def _teacher(self, level: str) -> str:
        here = [each.name for each in self._levels.levels if each.backend == "transformers" and _has_model(each.model)]
        served = [each.name for each in self._levels.levels if each.backend == "openai"]
        able = served if self._settings.teach.by == "endpoint" else here
        return teacher_of(level, self._levels.names, able) if level in here else ""

    def _job(self, ident: str, chosen: Candidate) -> Job:
        return Job(
            dream=ident,
            student=self._levels.by_name(chosen.level),
            teacher=self._levels.by_name(self._teacher(chosen.level)),
            # Nothing of what was forgotten is rehearsed again through the answers of what learned from it.
            champion=Adapter(level=chosen.level) if chosen.due else self._adapters.current(chosen.level),
            settings=self._settings,
            seed=int.from_bytes(hashlib.sha256(ident.encode()).digest()[:6], "big"),
            material_ns=self._collector.latest_ns,
            examples=self._collector.count,
        )

    async def _leg(self, folder: JobFolder, on_progress: OnProgress) -> Ended:
        job, leg = folder.job(), folder.begin_leg()
        began, spent, self._called_s = self._clock.mono_ns(), _children_cpu_s(), 0.0
        try:
            status, last_lines = (0, "") if folder.outcome() else await self._train(folder, on_progress)
        finally:
            self._spent_s = _children_cpu_s() - spent + self._called_s
        seconds, cpu_s = (self._clock.mono_ns() - began) / 1e9, self._spent_s
        if folder.given_up:
            why = "given up: something it rested on was forgotten; it begins anew another time"
            completed = DreamCompleted(
                dream=job.dream,
                level=job.student.name,
                promoted=False,
                why=why,
                seconds=seconds,
                cpu_s=cpu_s,
                interrupted=True,
            )
            return Ended(completed, leg)
        away = _last(last_lines) if status == AWAY else ""
        interrupted = status in (ROUSED, AWAY) or (status != 0 and self._roused)
        if interrupted:
            ruling = _nothing(f"{self._poor or away or 'roused'}; it goes on from here another time")
        elif status != 0:
            ruling = _nothing(f"the training process failed with status {status}: {_last(last_lines)}")
        else:
            ruling = verdict(folder.outcome(), self._settings, self._journal.tested(job.student.name, job.dream))
        completed = DreamCompleted(
            dream=job.dream,
            level=job.student.name,
            promoted=ruling.promoted,
            why=ruling.why,
            examples=job.examples,
            results=ruling.results,
            p_value=ruling.p_value,
            alpha=ruling.alpha,
            gain=ruling.gain,
            gain_low=ruling.gain_low,
            gain_high=ruling.gain_high,
            checks=ruling.checks,
            turn=folder.material().split.turn,
            seconds=seconds,
            cpu_s=cpu_s,
            interrupted=interrupted,
        )
        promoted = self._conclude(folder, job, completed, on_progress) if not interrupted else None
        return Ended(completed, leg, promoted, last_lines if status != 0 and not interrupted else "", away)

    def _conclude(
        self, folder: JobFolder, job: Job, completed: DreamCompleted, on_progress: OnProgress
    ) -> Adapter | None:
        """Promote where that was ruled, note the dream, forget its folder; each may be repeated after a crash."""
        level, promoted = job.student.name, None
        if completed.promoted:
            on_progress(DreamProgress(dream=job.dream, stage="promote", done=0, total=1))
            outcome = folder.outcome()
            assert outcome is not None, "a promotion follows from an outcome"
            now_ns = self._clock.wall_ns()
            made = Made(
                dream=job.dream,
                base_version=outcome.base_version,
                parent=job.champion.digest,
                teacher=f"{job.teacher.name} {outcome.teacher_version}".strip(),
                exchanges=learned_from(folder.material()),
                settings=settings_digest(job.settings),
                verdict=completed,
                made_ns=now_ns,
            )
            share = self._settings.canary.share
            promoted = self._adapters.admit(folder.candidate, level, made, share=share, now_ns=now_ns).adapter
        verdicts = private_directory(self._state_dir / "dream" / "verdicts")
        write_atomically(verdicts / f"{job.dream}.md", page(completed).encode())
        self._journal.write(completed, job.material_ns, self._clock.wall_ns())
        folder.remove()
        return promoted

    async def _train(self, folder: JobFolder, on_progress: OnProgress) -> tuple[int, str]:
        """Run the training process to its end; its status and the last lines it wrote."""
        if self._roused:
            return ROUSED, ""
        threads = str(folder.job().student.threads)
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "nodes.dream_consolidator.distiller.distill",
            str(folder.path),
            str(self._state_dir),
            str(os.getpid()),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={**os.environ, "OMP_NUM_THREADS": threads, "OMP_WAIT_POLICY": "PASSIVE"},
        )
        self._process = process

        def progressed(progress: DreamProgress) -> None:
            self._called_s = max(self._called_s, progress.called_cpu_s)
            on_progress(progress)

        try:
            if self._roused:
                process.kill()
            last_lines, _ = await asyncio.gather(_tail(process.stderr), _follow(process.stdout, progressed))
            return await process.wait(), last_lines
        finally:
            self._process = None
            if process.returncode is None:
                process.kill()
                await process.wait()  # until then the system does not say what it took


def choose(candidates: Sequence[Candidate], settings: Dreaming) -> tuple[Candidate | None, str]:
    """Of the levels with enough to learn one that must learn anew, else the one that waited longest; or why none."""
    if not candidates:
        return None, "no level that may learn has its model and a larger level's on this machine"
    reasons = {candidate.level: not_worth(candidate, settings) for candidate in candidates}
    worth = [candidate for candidate in candidates if not reasons[candidate.level]]
    if not worth:
        return None, "; ".join(f"{level}: {reason}" for level, reason in reasons.items())
    return min(worth, key=lambda candidate: (not candidate.due, candidate.dreamt_ns)), ""


def not_worth(candidate: Candidate, settings: Dreaming) -> str:
    """Why a dream of the candidate is not worth its energy; empty if it is."""
    material = candidate.material
    if candidate.not_due:
        return candidate.not_due
    if material.taught < settings.lessons:
        return f"{material.taught} of {settings.lessons} lessons"
    judging = len(material.held_out)
    if judging < settings.questions:
        return f"{judging} of {settings.questions} questions that would judge it"
    return ""


def teacher_of(student: str, levels: Sequence[str], here: Sequence[str]) -> str:
    """The largest level above it whose model is here; empty where there is none. `levels` least capable first.

    Lessons are what any larger level answered, and what is learned of them is the teacher's distribution: of an answer
    that a level in between could not have given it has a wrong one.
    """
    larger = levels[levels.index(student) + 1 :] if student in levels else []
    return next((level for level in reversed(larger) if level in here), "")


def verdict(outcome: Outcome | None, settings: Settings, tested: Sequence[bool] = ()) -> Ruling:
    """What follows from what the training process found, and from what became of the level's dreams before."""
    if outcome is None:
        return _nothing("the training process left no outcome")
    if not outcome.taught:
        return _nothing(f"the teacher had no answer that holds ({outcome.refuted} refuted)")
    ruling = rule(outcome.trials, settings.judge, tested)
    spelled = "the teacher's words, its distribution not being told in the student's ids"
    source = "the teacher's distribution" if outcome.distribution else spelled
    learned = (
        f"learned {source} from {outcome.taught} lessons with {outcome.rehearsed} of rehearsal, "
        f"step {outcome.best_step} of {outcome.steps} kept"
    )
    left_out = f"; left out: {outcome.refuted} refuted, {outcome.too_long} too long"
    return msgspec.structs.replace(
        ruling, why=f"{ruling.why}; {learned}{left_out if outcome.refuted or outcome.too_long else ''}"
    )


def _not_begun(dream: str, level: str, poor: str) -> Ended:
    return Ended(DreamCompleted(dream=dream, level=level, promoted=False, why=poor, interrupted=True), "")


def learned_from(material: Material) -> list[str]:
    """The exchanges that shape the weights: the lessons, and what said when to stop."""
    return [lesson.ident for lesson in (*material.lessons, *material.development)]


def _rests_on(folder: JobFolder, exchanges: Collection[str]) -> bool:
    """Whether the dream's material is from any of these; one that cannot be read may be."""
    try:
        material = folder.material()
    except (ConfigError, SealError):
        return True
    lessons = {lesson.ident for lesson in (*material.lessons, *material.development)}
    return not (lessons | {question.ident for question in material.held_out}).isdisjoint(exchanges)


def _nothing(why: str) -> Ruling:
    return Ruling(promoted=False, why=why, results=[], p_value=None)


def _last(lines: str) -> str:
    return lines.rstrip().rpartition("\n")[2] or "it said nothing"


async def _follow(stream: asyncio.StreamReader | None, on_progress: OnProgress) -> None:
    """Hand on the progress lines; anything else that a library prints there is none."""
    assert stream is not None
    async for line in stream:
        try:
            progress = msgspec.json.decode(line, type=DreamProgress)
        except msgspec.DecodeError:
            continue
        on_progress(progress)


async def _tail(stream: asyncio.StreamReader | None) -> str:
    assert stream is not None
    lines: deque[str] = deque(maxlen=_LAST_LINES)
    async for line in stream:
        lines.append(line.decode(errors="replace").rstrip())
    return "\n".join(lines)


def _has_model(model: str) -> bool:
    """Whether the model's folder is here; a hub id is taken for here, and the training process says if it is not."""
    where = model_levels.source(model)
    return isinstance(where, str) or where.is_dir()


def _children_cpu_s() -> float:
    """Processor seconds of all children of this process that have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime
