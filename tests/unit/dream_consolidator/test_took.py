"""What a dream took is known however its training process ends."""

from __future__ import annotations

import sys
from pathlib import Path

import msgspec
import pytest

from nodes.dream_consolidator.dream import Dreamer
from nodes.dream_consolidator.job import JobFolder

WORKS = "i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done"


@pytest.fixture(autouse=True)
def training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program that runs in place of the training process."""
    program = tmp_path / "training"
    program.touch(mode=0o700)
    monkeypatch.setattr(sys, "executable", str(program))
    return program


async def test_one_that_is_killed_owes_all_that_it_took(
    dreamer: Dreamer, unfinished: JobFolder, training: Path
) -> None:
    training.write_text(f"#!/bin/sh\n{WORKS}\nkill -9 $$\n")
    ended = await dreamer.dream("d2", lambda _: None)
    assert "failed with status -9" in ended.completed.why
    assert dreamer.spent_s() == ended.completed.cpu_s > 0.01


async def test_one_whose_outcome_cannot_be_read_owes_it_too_and_the_next_stretch_begins_at_nothing(
    dreamer: Dreamer, unfinished: JobFolder, training: Path
) -> None:
    training.write_text(f"#!/bin/sh\n{WORKS}\necho broken > {unfinished.path}/outcome.json\n")
    with pytest.raises(msgspec.DecodeError):
        await dreamer.dream("d2", lambda _: None)
    assert dreamer.spent_s() > 0.01
    with pytest.raises(msgspec.DecodeError):
        await dreamer.dream("d3", lambda _: None)
    assert dreamer.spent_s() == 0


async def test_one_that_must_be_killed_because_it_cannot_be_followed_owes_it_too(
    dreamer: Dreamer, unfinished: JobFolder, training: Path
) -> None:
    training.write_text(f"#!/bin/sh\n{WORKS}\nhead -c 100000 /dev/zero >&2\nwhile :; do :; done\n")
    with pytest.raises(ValueError, match="limit"):
        await dreamer.dream("d2", lambda _: None)
    assert dreamer.spent_s() > 0.01
