"""Every configuration that ships is known to `sage check`, and nothing is wrong with it."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from runtime import paths
from runtime.launch.commands import check

SHIPPED = sorted(Path(paths.shipped("configs")).glob("*.yaml"))


@pytest.mark.parametrize("file", SHIPPED, ids=lambda file: file.name)
def test_it_is_known_and_sound(file: Path):
    result = CliRunner().invoke(check, [str(file)])
    assert result.exit_code == 0, result.output
    assert ": a configuration of the " in result.stdout
