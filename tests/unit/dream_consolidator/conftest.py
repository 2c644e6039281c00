"""A dreamer over real stores, and a dream that it would go on with."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from nodes.dream_consolidator import settings as configuration
from nodes.dream_consolidator.adapters.registry import Adapters
from nodes.dream_consolidator.dream import Dreamer
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
def dreamer(tmp_path: Path) -> Iterator[Dreamer]:
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
