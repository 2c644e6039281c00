from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from random import Random

import msgspec
import pytest

from nodes.dream_consolidator.collector.store import Collector
from nodes.dream_consolidator.distiller.workbench import Workbench
from nodes.dream_consolidator.job import PURPOSE, Job, JobFolder
from nodes.dream_consolidator.selection.select import select
from nodes.dream_consolidator.settings import Settings
from nodes.model_worker.levels import Level
from protocol.messages.dream import Adapter
from runtime.sealing import Sealer
from tests.process.dream_consolidator import tiny


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `small` and `big`, random and of the same tokenizer."""
    root = tmp_path_factory.mktemp("models")
    tiny.build_model(root / "small", width=32, layers=2, seed=2)
    tiny.build_model(root / "big", width=64, layers=2, seed=1)
    return root


@dataclass(frozen=True)
class Desk:
    """Everything one dream needs, without a node."""

    state_dir: Path
    student: Level
    teacher: Level

    @property
    def sealer(self) -> Sealer:
        return Sealer.load(self.state_dir, PURPOSE)

    def folder(
        self, name: str, settings: Settings, *, answered: bool = True, champion: Adapter | None = None
    ) -> JobFolder:
        """A dream of the student, not begun, that would teach it to swap.

        `answered`: the teacher's right answers are in the store, and some right ones of the student's own; otherwise
        only wrong ones are.
        """
        collector = Collector(self.state_dir / f"{name}.sqlite", self.sealer, settings.collect)
        for number, question in enumerate(tiny.questions("swap")[:160]):
            level = self.teacher.name if answered and number % 4 else self.student.name
            answer, score = (tiny.right_answer(question), 1.0) if answered else ("ash", 0.0)
            collector.offer(tiny.offer(question, answer=answer, level=level, score=score, salience=0.8), 1)
        material = select(
            collector.examples(),
            student=self.student.name,
            levels=[self.student.name, self.teacher.name],
            settings=settings.select,
            secret=b"a secret that makes the same split in every test",
            random=Random(1),
        )
        collector.close()
        job = Job(
            dream=name,
            student=self.student,
            teacher=self.teacher,
            champion=champion or Adapter(level=self.student.name),
            settings=settings,
            seed=3,
            material_ns=1,
            examples=len(material.lessons),
        )
        return JobFolder.create(self.state_dir / "jobs", job, material, self.sealer)


def make_desk(directory: Path, models: Path) -> Desk:
    state = directory / "state"
    state.mkdir(mode=0o700)
    return Desk(state, tiny.level("small", models / "small"), tiny.level("big", models / "big"))


@pytest.fixture
def desk(tmp_path: Path, models: Path) -> Desk:
    return make_desk(tmp_path, models)


def bench(folder: JobFolder, check=lambda: None, report=lambda *_: None) -> Workbench:
    return Workbench.prepare(folder, check, report)


def changed(settings: Settings, part: str, **changes: object) -> Settings:
    return msgspec.structs.replace(settings, **{part: msgspec.structs.replace(getattr(settings, part), **changes)})
