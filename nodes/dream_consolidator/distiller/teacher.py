"""Who teaches: a level's model, asked for answers, and for what it would say at each token of an answer. Imports torch.

Both come batch by batch, so that what there is can be written down, and the dream stopped, in between.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

from nodes.dream_consolidator.distiller import answering
from nodes.dream_consolidator.distiller.targets import Told
from nodes.dream_consolidator.distiller.workbench import Workbench
from nodes.dream_consolidator.selection.select import Lesson, Question
from nodes.model_worker import folder as folders
from nodes.model_worker import loading
from nodes.model_worker.levels import settled_dtype


class Teacher(Protocol):
    """Says the same whenever it is asked the same, as long as its version is."""

    @property
    def version(self) -> str:
        """Of everything that decides what it says."""

    def answers(self, questions: Sequence[Lesson | Question]) -> Iterator[dict[str, str]]:
        """Ident → greedy answer, for all questions; empty where it came to no end of its own."""

    def distributions(self, lessons: Sequence[Lesson]) -> Iterator[dict[str, Told]]:
        """Ident → the lesson in the teacher's ids and what it would say; without the lessons too long for it."""


@contextmanager
def appointed(bench: Workbench) -> Iterator[Teacher]:
    """The teacher of the dream, as `teach.by` says."""
    yield Here(bench)


class Here:
    """Loads the level's model into this process."""

    def __init__(self, bench: Workbench) -> None:
        self._bench = bench
        self._level = bench.job.teacher

    @property
    def version(self) -> str:
        folder = folders.open_folder(loading.locate(self._level))
        dtype = settled_dtype(self._level.dtype, folder.stored_dtype, loading.settled_device(self._level))
        return folders.version(folders.fingerprint(folder, dtype))

    def answers(self, questions: Sequence[Lesson | Question]) -> Iterator[dict[str, str]]:
        return answering.greedy(self._bench, questions, self._level, whole=True)

    def distributions(self, lessons: Sequence[Lesson]) -> Iterator[dict[str, Told]]:
        return answering.distributions(self._bench, lessons, self._level)
