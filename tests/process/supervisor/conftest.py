import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.process.supervisor.system import System


@pytest.fixture
def system() -> Iterator[Callable[[str], System]]:
    """Makes systems in short directories (a socket's path has 107 bytes); afterwards nothing of them runs."""
    made: list[System] = []
    folders: list[tempfile.TemporaryDirectory[str]] = []

    def make(launch: str) -> System:
        folders.append(tempfile.TemporaryDirectory(prefix="sage-"))
        made.append(System(Path(folders[-1].name), launch))
        return made[-1]

    yield make
    for one in made:
        one.clean_up()
    for folder in folders:
        folder.cleanup()
