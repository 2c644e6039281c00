"""What was searched and found sound is not searched again; what was not, is."""

from pathlib import Path

import msgspec
import pytest

from nodes.metabolic_controller import explore, proof
from nodes.metabolic_controller.config import MetabolismConfig
from runtime import config as files
from runtime import paths

CONFIG = files.load(paths.shipped("configs/metabolism.yaml"), MetabolismConfig)


@pytest.fixture
def searched(monkeypatch: pytest.MonkeyPatch) -> list[MetabolismConfig]:
    """Configurations that were searched; one whose dwell in WAKE is 1 s counts as unsound."""
    found: list[MetabolismConfig] = []

    def search(config: MetabolismConfig) -> list[str]:
        found.append(config)
        return ["trap: somewhere"] if config.wake.dwell == 1.0 else []

    monkeypatch.setattr(explore, "faults", search)
    return found


def waking(seconds: float) -> MetabolismConfig:
    return msgspec.structs.replace(CONFIG, wake=msgspec.structs.replace(CONFIG.wake, dwell=seconds))


def test_a_sound_configuration_is_searched_once(tmp_path: Path, searched: list[MetabolismConfig]):
    remembered = tmp_path / "proven"
    assert [proof.faults(waking(5.0), remembered) for _ in range(3)] == [[], [], []]
    assert len(searched) == 1
    assert proof.faults(waking(6.0), remembered) == []
    assert len(searched) == 2


def test_an_unsound_one_is_searched_and_refused_each_time(tmp_path: Path, searched: list[MetabolismConfig]):
    remembered = tmp_path / "proven"
    assert [proof.faults(waking(1.0), remembered) for _ in range(2)] == [["trap: somewhere"]] * 2
    assert (len(searched), remembered.exists()) == (2, False)


def test_what_is_remembered_may_be_spoiled(tmp_path: Path, searched: list[MetabolismConfig]):
    remembered = tmp_path / "proven"
    remembered.write_bytes(b"\xff\xfe")
    assert proof.faults(waking(5.0), remembered) == []
    assert len(searched) == 1
