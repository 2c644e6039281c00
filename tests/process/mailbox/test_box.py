"""A mailbox between processes, some of which are killed."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from runtime.mailbox.box import Mailbox
from tests.fabric import PATIENCE_S, ROOT
from tests.process.mailbox.end import END, NUMBERS

WRITERS, READERS = 4, 4


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Mailbox]:
    with Mailbox.create(tmp_path / "private" / "box", slots=8, nbytes=8 * NUMBERS) as made:
        yield made
        made.remove()


class Ends:
    """Processes at the mailbox, whose words go into files."""

    def __init__(self, box: Mailbox, directory: Path) -> None:
        self._box, self._directory = box, directory
        self._started: list[subprocess.Popen[bytes]] = []

    def start(self, what: str, *numbers: int) -> None:
        command = [sys.executable, "-m", "tests.process.mailbox.end", what, str(self._box.path), *map(str, numbers)]
        with (self._directory / f"{what}-{len(self._started)}").open("wb") as said:
            self._started.append(subprocess.Popen(command, cwd=ROOT, stdout=said))

    def ended(self) -> list[int]:
        """Their statuses, once all are over."""
        return [process.wait(10 * PATIENCE_S) for process in self._started]

    def said(self) -> list[str]:
        return [line for file in self._directory.glob("read-*") for line in file.read_text().split()]


@pytest.mark.timeout(900)
@pytest.mark.parametrize("letters", [2_000, pytest.param(100_000, marks=pytest.mark.slow)])
def test_of_many_letters_none_is_lost_or_torn_though_a_reader_is_killed_over_one(
    box: Mailbox, tmp_path: Path, letters: int
) -> None:
    each = letters // WRITERS
    readers, writers = Ends(box, tmp_path), Ends(box, tmp_path)
    for number in range(READERS):
        readers.start("read", 0 if number else letters // 20)
    for number in range(WRITERS):
        writers.start("write", number, each)
    assert writers.ended() == [0] * WRITERS
    for _ in range(READERS - 1):
        box.put(np.zeros(1), END, timeout=PATIENCE_S)
    assert readers.ended() == [-signal.SIGKILL, *[0] * (READERS - 1)]
    said = readers.said()
    assert said.count("dying") == 1
    numbers = sorted(int(line) for line in said if line != "dying")
    assert numbers == [writer * 1_000_000 + number for writer in range(WRITERS) for number in range(each)]
    stats = box.stats()
    assert (stats["readers_lost"], stats["put"], stats["ready"]) == (1, letters + READERS - 1, 0)


def test_a_writer_killed_over_a_letter_leaves_nothing_of_it_and_its_slot(box: Mailbox) -> None:
    script = (
        "import os, sys, numpy\nfrom pathlib import Path\nfrom runtime.mailbox.box import Mailbox\n"
        "with Mailbox.open(Path(sys.argv[1])) as box, box.room((4,), numpy.int64) as letter:\n"
        "    letter[:2] = 1\n    os.kill(os.getpid(), 9)\n"
    )
    for _ in range(3):
        assert subprocess.run([sys.executable, "-c", script, str(box.path)], cwd=ROOT, check=False).returncode == -9
    with box.take(timeout=0) as letter:
        assert letter is None
    for value in range(8):
        box.put(np.full(4, value), timeout=0)
    assert box.stats()["writers_lost"] == 3
