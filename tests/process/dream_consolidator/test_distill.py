"""The whole training of a dream on two tiny random models: it runs, stops anywhere, and goes on to the same bits."""

from __future__ import annotations

from pathlib import Path

import pytest

from nodes.dream_consolidator.distill import distill
from nodes.dream_consolidator.job import JobFolder
from nodes.dream_consolidator.workbench import Roused
from nodes.model_worker.folder import open_folder, weights_digest
from tests.process.dream_consolidator import tiny
from tests.process.dream_consolidator.conftest import Desk, bench

VERIFIERS = [tiny.TinyVerifier()]


class Sleeper:
    """Wakes up after so many reports of a stage."""

    def __init__(self, stage: str, reports: int) -> None:
        self._stage, self._left = stage, reports

    def report(self, stage: str, *_: object) -> None:
        self._left -= stage == self._stage

    def check(self) -> None:
        if self._left <= 0:
            raise Roused


def learned(folder: JobFolder) -> str:
    return weights_digest(open_folder(folder.candidate))


def test_a_teacher_whose_answers_are_all_refuted_teaches_nothing(desk: Desk) -> None:
    folder = desk.folder("refuted", tiny.quick(), answered=False)
    outcome = distill(bench(folder), VERIFIERS)
    assert (outcome.taught, outcome.steps, outcome.trials) == (0, 0, [])
    assert not folder.candidate.exists()


def test_the_machinery_learns_a_distribution_and_judges_only_what_was_held_out(desk: Desk) -> None:
    settings = tiny.quick()
    folder = desk.folder("whole", settings)
    stages: list[str] = []
    outcome = distill(bench(folder, report=lambda stage, *_: stages.append(stage)), VERIFIERS)
    material = folder.material()
    assert list(dict.fromkeys(stages)) == ["teach", "train", "validate"]
    assert outcome.distribution
    assert outcome.taught > 20
    assert outcome.steps == len([stage for stage in stages if stage == "train"]) > 0
    assert len([trial for trial in outcome.trials if trial.stratum == "swap"]) == len(material.held_out)
    asked = {lesson.messages[-1].content for lesson in (*material.lessons, *material.development)}
    assert not asked & {question.messages[-1].content for question in material.held_out}
    assert learned(folder) != weights_digest(open_folder(Path(desk.student.model)))


def test_nothing_that_was_said_lies_open_in_the_folder(desk: Desk) -> None:
    folder = desk.folder("sealed", tiny.quick())
    distill(bench(folder), VERIFIERS)
    for file in folder.path.iterdir():
        if file.is_file():
            assert b"swap " not in file.read_bytes(), file.name


def test_a_dream_stopped_in_every_stage_ends_in_the_same_bits(desk: Desk) -> None:
    whole, broken = desk.folder("whole", tiny.quick()), desk.folder("broken", tiny.quick())
    distill(bench(whole), VERIFIERS)
    for stage, reports in (("teach", 1), ("teach", 4), ("train", 2), ("train", 3), ("validate", 2)):
        sleeper = Sleeper(stage, reports)
        with pytest.raises(Roused):
            distill(bench(broken, sleeper.check, sleeper.report), VERIFIERS)
        assert broken.checkpoint.exists() == (stage != "teach")
    distill(bench(broken), VERIFIERS)
    assert learned(broken) == learned(whole)
    assert broken.outcome() == whole.outcome()
