from pathlib import Path

import pytest

from experiments.reference import integrity
from protocol.errors import ConfigError


def folder(root: Path) -> Path:
    (root / "sensory").mkdir()
    (root / "sensory" / "config.json").write_text("{}")
    (root / "figures.json").write_text("{}")
    integrity.write(root)
    return root


def test_untouched_weights_are_as_recorded(tmp_path: Path):
    assert integrity.differences(folder(tmp_path)) == []


def test_what_changed_is_missing_or_too_much_is_named(tmp_path: Path):
    root = folder(tmp_path)
    (root / "sensory" / "config.json").write_text("{ }")
    (root / "figures.json").unlink()
    (root / "more").write_text("")
    assert integrity.differences(root) == [
        "figures.json is missing",
        "sensory/config.json has changed",
        "more is not recorded",
    ]


def test_weights_without_sums_are_refused(tmp_path: Path):
    with pytest.raises(ConfigError, match="SHA256SUMS"):
        integrity.differences(tmp_path)


def test_the_version_names_what_answers_depend_on_whether_recorded_or_not(tmp_path: Path):
    root = folder(tmp_path)
    recorded = integrity.version(root)
    (root / "figures.json").write_text("{ }")
    (root / integrity.SUMS).unlink()
    assert integrity.version(root) == recorded
    (root / "sensory" / "config.json").write_text("{ }")
    assert integrity.version(root) != recorded
