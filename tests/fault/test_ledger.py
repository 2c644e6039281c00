"""Whenever the ledger is killed, its chain is whole, and everything that it acknowledged is in it."""

import random
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from tests.fabric import ROOT
from tests.fault.ledger_writer import open_ledger, outcome

OUTCOMES = 100_000
"""To be written, if nobody kills the writer."""


def killed_while_writing(directory: Path, first: int, batch: int, after: int) -> int:
    """The last outcome that the writer said it had kept; it is killed `after` so many acknowledgements, and reads."""
    writer = subprocess.Popen(
        [sys.executable, "-m", "tests.fault.ledger_writer", str(directory), str(first), str(OUTCOMES), str(batch)],
        stdout=subprocess.PIPE,
        cwd=ROOT,
        text=True,
    )
    assert writer.stdout is not None
    said = [writer.stdout.readline() for _ in range(after)]
    assert said[-1], "it ended by itself"
    writer.kill()
    said += writer.stdout.readlines()
    writer.wait()
    writer.stdout.close()
    return int([line for line in said if line.endswith("\n")][-1])


@pytest.mark.parametrize(
    ("kills", "batch", "most"),
    [(3, 20, 30), pytest.param(20, 64, OUTCOMES // 64 - 1, marks=[pytest.mark.slow, pytest.mark.timeout(1800)])],
)
def test_a_ledger_killed_at_any_moment_keeps_all_that_it_acknowledged(
    tmp_path: Path, kills: int, batch: int, most: int
) -> None:
    """Small: kills in one ledger, one after the other. Slow: each somewhere within 100,000 appends of its own."""
    chance = random.Random(kills)
    for kill in range(kills):
        directory = tmp_path / (str(kill) if most > 30 else "ledger")
        directory.mkdir(mode=0o700, exist_ok=True)
        first = 0
        if (directory / "trust.sqlite").exists():
            with closing(open_ledger(directory)) as before:
                first = len(told(before))
        last = killed_while_writing(directory, first, batch, chance.randint(1, most))
        with closing(open_ledger(directory)) as ledger:
            assert ledger.verify() == []
            kept = told(ledger)
            assert len(kept) >= last + 1, "what was acknowledged is there"
            assert kept == [outcome(number) for number in range(len(kept))], "and nothing else, in its order"


def told(ledger):
    return [one for entry in ledger.entries() if (one := ledger.outcome(entry)) is not None]
