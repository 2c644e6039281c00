"""The same lessons, models, epochs and batch through TRL's trainers, in an environment of their own. Imports torch.

What our dream learns from is gathered once; then our training and each of TRL's learn from it, one thread each, and the
same exam marks them all. TRL's trainers know neither weights of lessons nor two sources: SFT learns the words of all
lessons, GKD what the teacher would say at every lesson, also where ours would have the student stay as it was.
"""

from __future__ import annotations

import json
import resource
import shutil
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from experiments.distillation import trl_trainer
from experiments.distillation.arms import ARMS
from experiments.distillation.exam import counts, examine
from experiments.distillation.experiment import Bench
from experiments.distillation.measures import Change, change
from experiments.distillation.trial import Trial
from experiments.distillation.world import load, targets
from experiments.reference.family import SIZES
from nodes.dream_consolidator.distiller.distill import gathered, prepared
from nodes.dream_consolidator.distiller.rates import peak_rate
from nodes.dream_consolidator.distiller.teacher import appointed
from nodes.dream_consolidator.distiller.workbench import Workbench
from nodes.dream_consolidator.job import PURPOSE
from nodes.dream_consolidator.selection.select import Lesson
from protocol.errors import ConfigError, SageError
from runtime.bench.session import Outcome, Session
from runtime.paths import private_directory
from runtime.sealing import Sealer

DEFAULT_RATE = 2e-5
"""Of TRL's SFTTrainer, as documented."""
OURS = ("shipped", "words")
LONGEST = 2048
_VERSIONS = "import trl, transformers, torch, json; print(json.dumps([trl.__version__, transformers.__version__]))"


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """What one way of training came to."""

    name: str
    gain: float
    worst_skill: str
    worst: float
    old: float
    steps: int
    wall_s: float
    cpu_s: float


def measure(session: Session, python: str) -> Outcome:
    """Raises ConfigError where `python` has no trl, SageError where a training fails."""
    versions = _versions(python)
    world = load()
    if session.quick:
        world = msgspec.structs.replace(world, visits=60.0, taught=60, target_each=20, old_each=5, control_each=5)
    shipped, *others = (arm.quick() if session.quick else arm for arm in ARMS if arm.name in OURS)
    progress = session.progress(len(OURS) + 4)
    bench = Bench(progress, world)
    aims = targets(world, bench.among, session.seed)
    trial = Trial(
        world=world,
        arm=shipped,
        seed=session.seed,
        kept=bench.offered(shipped, session.seed),
        counts=counts(aims, target=world.target_each, old=world.old_each),
    )
    rows = []
    with tempfile.TemporaryDirectory(prefix="sage-trl-") as directory:
        lessons, teach_s = _lessons(trial, Path(directory))
        progress.advance(1, f"{len(lessons)} lessons gathered")
        for name, method, rate in _ways(trial):
            order = _order(trial, lessons, method, rate, Path(directory) / name.replace(" ", "-"))
            row = _through_trl(python, name, order, trial, bench, aims)
            rows.append(row)
            progress.advance(1, name)
    for arm in (shipped, *others):
        shift, found = bench.run(arm, session.seed)
        rows.append(_row(f"ours, {arm.name}", shift, found.steps, found.wall_s, found.cpu_s))
        progress.advance(1, arm.name)
    for row in rows:
        session.raw(**msgspec.to_builtins(row))
    return Outcome(
        figures={
            "day": session.seed,
            "lessons": len(lessons),
            "gathering_s": round(teach_s, 1),
            "versions": dict(zip(("trl", "transformers"), versions, strict=True)),
            "ways": {row.name: msgspec.to_builtins(row) for row in rows},
        },
        goals=[],
        text=_text(rows, session.seed, len(lessons), teach_s, versions),
        packages=("torch", "transformers"),
    )


def _versions(python: str) -> list[str]:
    done = subprocess.run([python, "-c", _VERSIONS], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise ConfigError(
            f"has no trl: {done.stderr.strip()[-200:]}",
            place=python,
            remedy="python3 -m venv trl && trl/bin/pip install torch==2.13.0 trl; then --beside-trl trl/bin/python",
        )
    return msgspec.json.decode(done.stdout.splitlines()[-1], type=list[str])


def _ways(trial: Trial) -> list[tuple[str, str, float]]:
    """Name, method and learning rate of each training through TRL."""
    width = json.loads((SIZES[trial.world.student].folder / "config.json").read_text())["hidden_size"]
    ours = peak_rate(width, trial.settings().train)
    return [("trl SFT", "sft", ours), ("trl SFT, its own rate", "sft", DEFAULT_RATE), ("trl GKD", "gkd", ours)]


def _lessons(trial: Trial, directory: Path) -> tuple[list[Lesson], float]:
    """What the dream would learn from, and the seconds it took to gather."""
    from runtime.verifiers import load_verifiers

    began, verifiers = time.monotonic(), load_verifiers()
    sealer = Sealer.load(private_directory(directory / "state"), PURPOSE)
    folder = trial.new_folder(directory / "jobs", sealer)
    bench = Workbench.prepare(folder, lambda: None, lambda *_: None, state_dir=directory / "state")
    with appointed(bench) as teacher:
        found = gathered(teacher, bench, prepared(bench, verifiers), verifiers)
    return list(found.learned), time.monotonic() - began


def _order(trial: Trial, lessons: Sequence[Lesson], method: str, rate: float, directory: Path) -> dict[str, Any]:
    train = trial.settings().train
    return {
        "method": method,
        "student": str(SIZES[trial.world.student].folder),
        "teacher": str(SIZES[trial.world.teacher].folder),
        "scratch": str(directory / "scratch"),
        "out": str(directory / "out"),
        "epochs": train.epochs,
        "batch": train.batch,
        "rate": rate,
        "seed": trial.seed,
        "longest": LONGEST,
        "lessons": [
            {
                "messages": [{"role": one.role, "content": one.content} for one in lesson.messages],
                "answer": lesson.answer,
            }
            for lesson in lessons
        ],
    }


def _through_trl(
    python: str, name: str, order: dict[str, Any], trial: Trial, bench: Bench, aims: frozenset[str]
) -> Row:
    out = Path(order["out"])
    shutil.copytree(order["student"], out)
    ordered = out.parent / "order.json"
    ordered.write_text(json.dumps(order))
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    done = subprocess.run(
        [python, trl_trainer.__file__, str(ordered)],
        capture_output=True,
        text=True,
        check=False,
        env={"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "PATH": "/usr/bin:/bin", "HOME": str(out.parent)},
    )
    if done.returncode != 0:
        raise SageError(f"ended with status {done.returncode}: {done.stderr.strip()[-500:]}", place=name)
    wall_s, after = time.monotonic() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    shutil.copy(Path(order["student"]) / "config.json", out)  # what was saved has the cache off, as training wants it
    marks = examine(out, trial.counts, trial.world.seed, lambda _: None)
    shift = change(bench.before(aims), marks, aims, bench.had)
    return _row(name, shift, json.loads(done.stdout.splitlines()[-1])["steps"], wall_s, cpu_s)


def _row(name: str, shift: Change, steps: int, wall_s: float, cpu_s: float) -> Row:
    skill, worst = shift.worst
    return Row(
        name=name,
        gain=round(shift.gain, 4),
        worst_skill=skill,
        worst=round(worst, 4),
        old=round(shift.old, 4),
        steps=steps,
        wall_s=round(wall_s, 1),
        cpu_s=round(cpu_s, 1),
    )


def _text(rows: Sequence[Row], day: int, lessons: int, teach_s: float, versions: Sequence[str]) -> str:
    lines = [
        f"Day {day}, {lessons} lessons. TRL {versions[0]}, transformers {versions[1]}. The times of ours hold the",
        f"gathering of the lessons ({teach_s:.0f} s) and the dream's validation; TRL's do not.",
        "",
        "| trained by | gain on the day's skills | worst old skill | old skills, mean | steps | wall s | cpu s |",
        "|---|---|---|---|---|---|---|",
        *(
            f"| {row.name} | {row.gain:+.1%} | {row.worst_skill} {row.worst:+.1%} | {row.old:+.1%} "
            f"| {row.steps} | {row.wall_s:.0f} | {row.cpu_s:.0f} |"
            for row in rows
        ),
    ]
    return "\n".join(lines)
