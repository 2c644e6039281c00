"""RAPL as recorded trees show it."""

from pathlib import Path

import pytest

from runtime.power.errors import MeterError
from runtime.power.rapl import Rapl, advanced, counted

RANGE = 262_143_328_850


def zone(root: Path, directory: str, name: str, uj: int, limit: int = RANGE) -> Path:
    path = root / directory
    path.mkdir(parents=True)
    (path / "name").write_text(f"{name}\n")
    (path / "energy_uj").write_text(f"{uj}\n")
    (path / "max_energy_range_uj").write_text(f"{limit}\n")
    return path


@pytest.fixture
def server(tmp_path: Path) -> Path:
    """Two sockets with memory, as a Xeon shows them."""
    for socket in (0, 1):
        zone(tmp_path, f"intel-rapl:{socket}", f"package-{socket}", 1_000_000)
        zone(tmp_path, f"intel-rapl:{socket}:0", "dram", 500_000, 65_712_999_613)
    (tmp_path / "intel-rapl").mkdir()
    return tmp_path


def test_packages_and_their_memory_are_counted_once():
    laptop = {
        "intel-rapl:0": "package-0",
        "intel-rapl:0:0": "core",
        "intel-rapl:0:1": "uncore",
        "intel-rapl:0:2": "dram",
        "intel-rapl:1": "psys",
        "intel-rapl-mmio:0": "package-0",
    }
    assert counted(laptop) == ["intel-rapl:0", "intel-rapl:0:2"]


def test_a_counter_that_began_anew_goes_on():
    assert advanced(10, 25, 1000) == 15
    assert advanced(990, 4, 1000) == 15


def test_joules_are_what_was_added_over_all_zones(server: Path):
    meter = Rapl(server)
    assert meter.probe() == ""
    assert meter.joules() == 0.0
    (server / "intel-rapl:0" / "energy_uj").write_text("3500000\n")
    (server / "intel-rapl:1:0" / "energy_uj").write_text("700000\n")
    assert meter.joules() == pytest.approx(2.7)
    (server / "intel-rapl:0" / "energy_uj").write_text("499999\n")
    assert meter.joules() == pytest.approx(2.7 + 0.5 - 3.5 + RANGE / 1e6, abs=1e-5)


def test_what_cannot_be_read_is_named(tmp_path: Path, server: Path, monkeypatch):
    assert Rapl(tmp_path / "none").probe().startswith(f"there is no {tmp_path / 'none'}")
    (tmp_path / "empty").mkdir()
    assert Rapl(tmp_path / "empty").probe() == f"no processor package under {tmp_path / 'empty'}"
    meter = Rapl(server)
    assert meter.probe() == ""
    (server / "intel-rapl:1" / "energy_uj").unlink()
    assert "cannot be read" in Rapl(server).probe()
    with pytest.raises(MeterError, match="cannot be read any more"):
        meter.joules()


def test_a_counter_for_root_alone_is_said_to_be_so(server: Path, monkeypatch):
    read = Path.read_text

    def refuse(path: Path, *args: object) -> str:
        if path.name == "energy_uj":
            raise PermissionError(13, "Permission denied", str(path))
        return read(path, *args)

    monkeypatch.setattr(Path, "read_text", refuse)
    assert "energy_uj may be read by root alone" in Rapl(server).probe()
