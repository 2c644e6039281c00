"""Who teaches: a level's model, asked for answers, and for what it would say at each token of an answer. Imports torch.

Both come batch by batch, so that what there is can be written down, and the dream stopped, in between.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from functools import cached_property
from typing import Protocol

import torch

from nodes.dream_consolidator import teacher_cache
from nodes.dream_consolidator.distiller import answering
from nodes.dream_consolidator.distiller.called import Called
from nodes.dream_consolidator.distiller.endpoint import Endpoint
from nodes.dream_consolidator.distiller.losses import Target
from nodes.dream_consolidator.distiller.targets import Told
from nodes.dream_consolidator.distiller.workbench import Away, Workbench
from nodes.dream_consolidator.selection.select import Lesson, Question
from nodes.dream_consolidator.teacher_cache import TeacherCache
from nodes.model_worker import folder as folders
from nodes.model_worker import loading
from nodes.model_worker.levels import settled_dtype
from protocol.messages.model import Exercise, Solution

TOGETHER = 64
"""Exercises of one request to a teacher elsewhere."""


class Teacher(Protocol):
    """Says the same whenever it is asked the same, as long as its version is."""

    @property
    def version(self) -> str:
        """Of everything that decides what it says."""

    def answers(self, questions: Sequence[Lesson | Question]) -> Iterator[dict[str, str]]:
        """Ident → greedy answer, for all questions; empty where it came to no end of its own."""

    def distributions(self, lessons: Sequence[Lesson]) -> Iterator[dict[str, Told]]:
        """Ident → the lesson in the teacher's ids and what it would say; without the lessons too long for it."""


class Solver(Protocol):
    """A teacher elsewhere. All it does raises `Away` where it is not there."""

    def version(self) -> str:
        """Of what answers now."""

    def solve(
        self, exercises: Sequence[Exercise], version: str, *, top_k: int, limit: int, take: Callable[[Solution], None]
    ) -> None:
        """Have the exercises solved by that version; `take` is called with each solution once it is there."""


@contextmanager
def appointed(bench: Workbench) -> Iterator[Teacher]:
    """The teacher of the dream, as `teach.by` says."""
    by = bench.job.settings.teach.by
    if by == "here":
        yield Here(bench)
        return
    solver = Called(bench) if by == "worker" else Endpoint(bench)
    with closing(teacher_cache.opened(bench.state_dir, bench.job.settings.teach.cache)) as cache:
        yield Remote(bench, solver, cache)


class Here:
    """Loads the level's model into this process."""

    def __init__(self, bench: Workbench) -> None:
        self._bench = bench
        self._level = bench.job.teacher

    @cached_property
    def version(self) -> str:
        folder = folders.open_folder(loading.locate(self._level))
        dtype = settled_dtype(self._level.dtype, folder.stored_dtype, loading.settled_device(self._level))
        return folders.version(folders.fingerprint(folder, dtype))

    def answers(self, questions: Sequence[Lesson | Question]) -> Iterator[dict[str, str]]:
        return answering.greedy(self._bench, questions, self._level, whole=True)

    def distributions(self, lessons: Sequence[Lesson]) -> Iterator[dict[str, Told]]:
        return answering.distributions(self._bench, lessons, self._level)


class Remote:
    """Asks a solver what the cache does not know. One version teaches in a dream: where it changes, it begins anew."""

    def __init__(self, bench: Workbench, solver: Solver, cache: TeacherCache) -> None:
        self._bench = bench
        self._solver = solver
        self._cache = cache

    @property
    def version(self) -> str:
        return self._bench.folder.unseal("teacher", str) or self._settled

    @cached_property
    def _settled(self) -> str:
        """The version at first contact. Raises `Away`, also where another taught in this dream before."""
        version = self._solver.version()
        if not self._bench.folder.taught_by(version):
            raise Away(f"the teacher is another by now ({version}): what the one before said is dropped")
        return version

    def answers(self, questions: Sequence[Lesson | Question]) -> Iterator[dict[str, str]]:
        asked = {each.ident: Exercise(messages=list(each.messages)) for each in questions}
        for part in self._solved(asked, top_k=0, limit=self._bench.job.teacher.max_new_tokens):
            yield {ident: said.text.strip() if said.finished else "" for ident, said in part.items()}

    def distributions(self, lessons: Sequence[Lesson]) -> Iterator[dict[str, Told]]:
        """As `Teacher.distributions`, without lessons with an empty answer too: what is asked of those is an answer."""
        asked = {
            each.ident: Exercise(messages=list(each.messages), answer=each.answer) for each in lessons if each.answer
        }
        for part in self._solved(asked, top_k=self._bench.job.settings.teach.top_k, limit=0):
            yield {ident: _told(said) for ident, said in part.items() if not said.refused}

    def _solved(self, asked: Mapping[str, Exercise], *, top_k: int, limit: int) -> Iterator[dict[str, Solution]]:
        if not asked:
            return
        found = self._cache.get(self._settled, top_k, limit, asked.items())
        if found:
            yield found
        missing = [ident for ident in asked if ident not in found]
        for start in range(0, len(missing), TOGETHER):
            yield self._ask({ident: asked[ident] for ident in missing[start : start + TOGETHER]}, top_k, limit)

    def _ask(self, asked: Mapping[str, Exercise], top_k: int, limit: int) -> dict[str, Solution]:
        idents, solved = list(asked), dict[str, Solution]()

        def take(solution: Solution) -> None:
            solved[idents[solution.index]] = solution

        try:
            self._solver.solve(list(asked.values()), self._settled, top_k=top_k, limit=limit, take=take)
        finally:  # however it ended: what was said is not asked again
            told = [(ident, asked[ident], said) for ident, said in solved.items()]
            self._cache.put(self._settled, top_k, limit, told)
        return solved


def _told(said: Solution) -> Told:
    """Without distributions where there are none: no lesson is spelled in no ids, so that its words are learned."""
    shape = (len(said.answer_ids), said.top_k)
    if not said.top_k:
        return Told([], [], Target(torch.zeros(shape, dtype=torch.int32), torch.zeros(shape)))
    ids = torch.frombuffer(bytearray(said.top_ids), dtype=torch.int32).view(shape)
    logprobs = torch.frombuffer(bytearray(said.top_logprobs), dtype=torch.float32).view(shape)
    return Told(said.prompt_ids, said.answer_ids, Target(ids, logprobs))
