"""What every stage of a dream works with: its folder, one model at a time, and the word to stop. Imports torch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from nodes.dream_consolidator.job import Job, JobFolder
from nodes.model_worker import loading
from nodes.model_worker.levels import Level
from nodes.model_worker.loading import LoadedModel

Report = Callable[[str, int, int, float | None], None]
"""Called with stage, units done, units in all, and the loss where there is one."""


class Roused(Exception):
    """Somebody woke up; the dream goes on another time."""


@dataclass
class Workbench:
    folder: JobFolder
    job: Job
    check: Callable[[], None]
    """Raises `Roused` where the work must stop now. Called between tokens and between steps."""
    report: Report
    _held: dict[tuple[Level, Path | None], LoadedModel] = field(default_factory=dict)

    def model(self, level: Level, path: Path | None = None) -> LoadedModel:
        """The level's base model, or the weights in `path`. Whatever was loaded before is freed first."""
        held = self._held.get((level, path))
        if held is None:
            self.free()
            held = self._held[level, path] = loading.load(level, path)
        return held

    def free(self) -> None:
        """Free the model. One that was trained must not be taken for its base again."""
        self._held.clear()
        loading.free_memory()
