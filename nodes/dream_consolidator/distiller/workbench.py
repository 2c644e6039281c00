"""What every stage of a dream works with: its folder, one model at a time, and the word to stop. Imports torch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from nodes.dream_consolidator.job import Job, JobFolder
from nodes.model_worker import folder as folders
from nodes.model_worker import loading
from nodes.model_worker.levels import Level
from nodes.model_worker.loading import LoadedModel

Report = Callable[[str, int, int, float | None], None]
"""Called with stage, units done, units in all, and the loss where there is one."""


class Roused(Exception):
    """Somebody woke up; the dream goes on another time."""


class Away(Exception):
    """The teacher is not there; the dream goes on another time."""


@dataclass
class Workbench:
    folder: JobFolder
    job: Job
    check: Callable[[], None]
    """Raises `Roused` where the work must stop now. Called between tokens and between steps."""
    report: Report
    base_version: str
    """Digest of the weights of the student's own model."""
    state_dir: Path
    owe: Callable[[float], None] = lambda _: None
    """Called with processor seconds that somebody else spent for the dream."""
    _held: dict[tuple[Level, Path | None], LoadedModel] = field(default_factory=dict)

    @classmethod
    def prepare(
        cls,
        folder: JobFolder,
        check: Callable[[], None],
        report: Report,
        *,
        state_dir: Path | None = None,
        owe: Callable[[float], None] = lambda _: None,
    ) -> Workbench:
        """`state_dir`: where what teachers said is kept, by default beside the dreams."""
        job = folder.job()
        own = folders.open_folder(loading.locate(job.student))
        return cls(folder, job, check, report, folders.weights_digest(own), state_dir or folder.path.parent.parent, owe)

    @property
    def in_force(self) -> Path | None:
        """The learned weights the student answers with; None for its own model.

        Weights that were learned from another model are not in force: no worker loads them.
        """
        champion = self.job.champion
        return Path(champion.path) if champion.digest and champion.base_version == self.base_version else None

    def model(self, level: Level, path: Path | None = None) -> LoadedModel:
        """The level's base model, or the weights in `path`. Whatever was loaded before is freed first."""
        held = self._held.get((level, path))
        if held is None:
            self.free()
            held = self._held[level, path] = loading.load(level, path)
        return held

    def free(self) -> None:
        """Free the model. One that was trained must not be taken for its base again."""
        if self._held:
            self._held.clear()
            loading.free_memory()
