"""A dream that rests on what was forgotten is given up; weights that do are learned anew before anything else."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from nodes.dream_consolidator import settings as configuration
from nodes.dream_consolidator.adapters.registry import Adapters
from nodes.dream_consolidator.dream import Candidate, Dreamer, choose, not_worth
from nodes.dream_consolidator.job import PURPOSE, Job, JobFolder
from nodes.dream_consolidator.journal import Journal
from nodes.dream_consolidator.selection.select import Lesson, Material, Question
from nodes.model_worker import levels as model_levels
from protocol.messages.dream import Adapter
from protocol.messages.model import ChatMessage
from runtime.clock import Clock
from runtime.paths import private_directory
from runtime.sealing import Sealer
from tests.unit.dream_consolidator.stores import open_store

SETTINGS = configuration.load()
MESSAGES = (ChatMessage(role="user", content="q"),)
LEVELS = model_levels.load()
MATERIAL = Material(
    lessons=(Lesson(ident="learned", messages=MESSAGES, answer="", source="teacher"),),
    development=(Lesson(ident="stops", messages=MESSAGES, answer="", source="teacher"),),
    held_out=(Question(ident="judges", messages=MESSAGES),),
)


async def afford(_: object) -> str:
    return ""


@pytest.fixture
def dreamer(tmp_path: Path):
    collector, journal = open_store(tmp_path), Journal(tmp_path / "journal.sqlite")
    yield Dreamer(
        collector=collector,
        journal=journal,
        adapters=Adapters.load(tmp_path),
        settings=SETTINGS,
        levels=LEVELS,
        state_dir=tmp_path,
        clock=Clock(),
        afford=afford,
    )
    collector.close()
    journal.close()


@pytest.fixture
def unfinished(tmp_path: Path, dreamer: Dreamer) -> JobFolder:
    level = LEVELS.levels[0]
    job = Job(
        dream="d1",
        student=level,
        teacher=level,
        champion=Adapter(level=level.name),
        settings=SETTINGS,
        seed=1,
        material_ns=1,
        examples=3,
    )
    return JobFolder.create(
        private_directory(tmp_path / "dream" / "jobs"), job, MATERIAL, Sealer.load(tmp_path, PURPOSE)
    )


@pytest.mark.parametrize("exchange", ["learned", "stops", "judges"])
def test_a_dream_that_rests_on_it_is_given_up_and_its_folder_removed(
    dreamer: Dreamer, unfinished: JobFolder, exchange: str
) -> None:
    assert dreamer.backlog().examples == 3
    assert dreamer.give_up([exchange, "another"]) == "d1"
    assert unfinished.given_up
    dreamer.clear()
    assert not unfinished.path.exists()
    assert dreamer.backlog().examples == 0


def test_a_dream_that_rests_on_none_of_it_is_gone_on_with(dreamer: Dreamer, unfinished: JobFolder) -> None:
    assert dreamer.give_up(["another"]) == ""
    assert dreamer.backlog().examples == 3
    assert not unfinished.given_up


def test_a_dream_whose_material_cannot_be_read_may_rest_on_it(dreamer: Dreamer, unfinished: JobFolder) -> None:
    (unfinished.path / "material.sealed").write_bytes(b"damaged")
    assert dreamer.give_up(["another"]) == "d1"


def test_a_level_that_must_learn_anew_waits_for_no_new_examples_and_goes_first() -> None:
    many = tuple(msgspec.structs.replace(MATERIAL.lessons[0], ident=str(number)) for number in range(50))
    questions = tuple(Question(ident=str(number), messages=MESSAGES) for number in range(50))
    enough = Material(lessons=many, development=(), held_out=questions)
    waited = Candidate(level="sensory", material=enough, fresh=50, dreamt_ns=1)
    due = Candidate(level="tactical", material=enough, fresh=0, dreamt_ns=2, due=True)
    assert not_worth(due, SETTINGS.dream) == ""
    assert choose([waited, due], SETTINGS.dream) == (due, "")
