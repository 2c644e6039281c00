"""The whole training of a dream on two tiny random models: it runs, stops anywhere, and goes on to the same bits."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from nodes.dream_consolidator.distiller.distill import distill
from nodes.dream_consolidator.distiller.workbench import Roused
from nodes.dream_consolidator.job import JobFolder, Outcome
from nodes.dream_consolidator.selection.lessons import Answer
from nodes.model_worker.folder import open_folder, weights_digest
from protocol.messages.dream import Adapter
from tests.process.dream_consolidator import tiny
from tests.process.dream_consolidator.conftest import Desk, bench, make_desk

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


@dataclass(frozen=True)
class Done:
    """A dream that ran to its end without a pause."""

    folder: JobFolder
    outcome: Outcome
    stages: list[str]


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory, models: Path) -> Done:
    folder = make_desk(tmp_path_factory.mktemp("done"), models).folder("done", tiny.quick())
    stages: list[str] = []
    outcome = distill(bench(folder, report=lambda stage, *_: stages.append(stage)), VERIFIERS)
    return Done(folder, outcome, stages)


def test_the_machinery_learns_a_distribution_and_judges_only_what_was_held_out(desk: Desk, done: Done) -> None:
    material, outcome = done.folder.material(), done.outcome
    assert list(dict.fromkeys(done.stages)) == ["teach", "train", "validate"]
    assert outcome.distribution
    assert outcome.taught > 20
    assert outcome.steps == done.stages.count("train") > 0
    assert len([trial for trial in outcome.trials if trial.stratum == "swap"]) == len(material.held_out)
    manners = [trial.after_manner for trial in outcome.trials if trial.after_manner is not None]
    assert len(manners) == len(outcome.trials)
    assert all(manner.tokens and 0 < manner.confidence <= 1 for manner in manners)
    assert len({trial.cluster for trial in outcome.trials}) == len(outcome.trials), "each of these stands alone"
    asked = {lesson.messages[-1].content for lesson in (*material.lessons, *material.development)}
    assert not asked & {question.messages[-1].content for question in material.held_out}
    assert learned(done.folder) != weights_digest(open_folder(Path(desk.student.model)))


def test_nothing_that_was_said_lies_open_in_the_folder(done: Done) -> None:
    files = [file for file in done.folder.path.iterdir() if file.is_file()]
    assert len(files) > 8
    for file in files:
        assert b"swap " not in file.read_bytes(), file.name


def test_a_dream_stopped_in_every_stage_ends_in_the_same_bits(desk: Desk, done: Done) -> None:
    broken = desk.folder("broken", tiny.quick())
    for stage, reports in (("teach", 1), ("teach", 4), ("train", 2), ("train", 3), ("validate", 2)):
        sleeper = Sleeper(stage, reports)
        with pytest.raises(Roused):
            distill(bench(broken, sleeper.check, sleeper.report), VERIFIERS)
        assert broken.checkpoint.exists() == (stage != "teach")
    distill(bench(broken), VERIFIERS)
    assert learned(broken) == learned(done.folder)
    assert broken.outcome() == done.outcome


@pytest.mark.parametrize(("same_base", "answers_with"), [(True, "after"), (False, "before")])
def test_a_later_dream_is_measured_against_the_weights_in_force(
    desk: Desk, done: Done, same_base: bool, answers_with: str
) -> None:
    champion = Adapter(
        level="small",
        digest=learned(done.folder),
        path=str(done.folder.candidate),
        base_version=done.outcome.base_version if same_base else "another model's",
    )
    later = desk.folder("later", tiny.quick(), champion=champion)
    sleeper = Sleeper("train", 1)
    with pytest.raises(Roused):
        distill(bench(later, sleeper.check, sleeper.report), VERIFIERS)
    judging = {question.ident for question in later.material().held_out}

    def answers(folder: JobFolder, name: str) -> dict[str, tuple[str, float]]:
        """Confidence to four digits: what else is asked beside a question moves the last ones."""
        found = folder.unseal(name, dict[str, Answer]) or {}
        return {
            ident: (answer.text, pytest.approx(answer.manner.confidence, rel=1e-4))
            for ident, answer in found.items()
            if ident in judging and answer.manner is not None
        }

    assert answers(done.folder, "before") != answers(done.folder, "after")
    assert answers(later, "before") == answers(done.folder, answers_with)
    assert answers(later, "base") == (answers(done.folder, "before") if same_base else {})
