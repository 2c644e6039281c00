"""What the machine feels of itself, read from trees like the kernel's."""

from pathlib import Path

import pytest

from nodes.metabolic_controller import body
from nodes.metabolic_controller.body import Body, Strain, Usage
from nodes.metabolic_controller.config import MetabolismConfig
from runtime import config as files
from runtime import paths

CONFIG = files.load(paths.shipped("configs/metabolism.yaml"), MetabolismConfig).body


def write(root: Path, **files: str) -> None:
    for name, text in files.items():
        path = root / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def supply(root: Path, name: str, **said: str) -> None:
    write(root, **{f"sys__class__power_supply__{name}__{key}": f"{value}\n" for key, value in said.items()})


def test_where_there_is_no_sensor_there_is_nothing_to_feel(tmp_path: Path):
    assert body.look(None, body.usage(0.0, 1, tmp_path), tmp_path) == Body()
    assert body.strain(Body(), CONFIG) == (Strain.NONE, "")


def test_the_hottest_zone_counts_and_one_that_cannot_be_read_does_not(tmp_path: Path):
    write(
        tmp_path,
        sys__class__thermal__thermal_zone0__temp="47000\n",
        sys__class__thermal__thermal_zone1__temp="61500\n",
        sys__class__thermal__thermal_zone2__temp="n/a\n",
        sys__class__thermal__thermal_zone3__temp="100000\n",
        sys__class__thermal__thermal_zone3__type="PMIC-Die\n",
        sys__class__thermal__cooling_device0__temp="99000\n",
    )
    assert body.look(None, None, tmp_path).temperature == 61.5


def test_only_a_battery_that_is_being_emptied_counts(tmp_path: Path):
    supply(tmp_path, "AC", type="Mains", online="0")
    supply(tmp_path, "BAT0", type="Battery", status="Charging", capacity="5")
    assert body.look(None, None, tmp_path).battery is None
    supply(tmp_path, "BAT1", type="Battery", status="Discharging", capacity="40")
    supply(tmp_path, "BAT2", type="Battery", status="Discharging", capacity="20")
    supply(tmp_path, "mouse", type="Battery", scope="Device", status="Discharging", capacity="3")
    assert body.look(None, None, tmp_path).battery == 0.2


def process(root: Path, pid: int, parent: int, ticks: int, name: str = "python", ended: int = 0) -> None:
    zeros = " ".join("0" * 9)
    write(root, **{f"proc__{pid}__stat": f"{pid} ({name}) S {parent} {zeros} {ticks} 0 {ended} 0 20 0"})


def test_load_is_what_others_use_of_the_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    monkeypatch.setattr("os.sysconf", lambda _name: 100)
    write(tmp_path, proc__stat="cpu  100 0 50 1000 7 0 0 0 0 0\ncpu0 1 2 3 4\n")
    process(tmp_path, 10, 1, 5)
    process(tmp_path, 11, 10, 20, name="a) S 1 (b")
    process(tmp_path, 12, 11, 30)
    process(tmp_path, 99, 1, 500)
    before = body.usage(0.0, 10, tmp_path)
    assert before == Usage(at_s=0.0, busy=150, own=55)
    write(tmp_path, proc__stat="cpu  300 0 50 2000 7 0 0 0 0 0\n")
    process(tmp_path, 12, 11, 130)
    now = body.usage(1.0, 10, tmp_path)
    assert body.look(before, now, tmp_path).load == pytest.approx((200 - 100) / 200)
    assert body.load(before, before) is None, "no time has passed"


def test_what_a_child_that_ended_used_is_still_ours(tmp_path: Path):
    write(tmp_path, proc__stat="cpu  0 0 0 0 0 0 0 0 0 0\n")
    process(tmp_path, 10, 1, 5)
    process(tmp_path, 11, 10, 900)
    before = body.usage(0.0, 10, tmp_path)
    (tmp_path / "proc/11/stat").unlink()
    process(tmp_path, 10, 1, 5, ended=900)
    assert body.usage(1.0, 10, tmp_path).own == before.own == 905


def test_a_process_of_our_own_that_ended_makes_no_load_below_nothing():
    before, now = Usage(at_s=0.0, busy=0, own=500), Usage(at_s=1e6, busy=0, own=0)
    assert body.load(before, now) == 0.0


@pytest.mark.parametrize(
    ("felt", "strain", "why"),
    [
        (Body(temperature=69.9, battery=0.3, load=0.49), Strain.NONE, ""),
        (Body(temperature=70.0), Strain.SOME, "70 °C"),
        (Body(temperature=85.0), Strain.MUCH, "85 °C"),
        (Body(battery=0.29), Strain.SOME, "battery at 29%"),
        (Body(battery=0.14), Strain.MUCH, "battery at 14%"),
        (Body(load=0.5), Strain.SOME, "other programs use 50% of the machine"),
        (Body(temperature=71.0, load=0.9), Strain.MUCH, "other programs use 90% of the machine"),
    ],
)
def test_the_worst_of_heat_charge_and_load_strains(felt: Body, strain: Strain, why: str):
    assert body.strain(felt, CONFIG) == (strain, why)


def test_this_machine_can_be_looked_at():
    used = body.usage(0.0, 1)
    felt = body.look(used, body.usage(1.0, 1))
    assert felt.load is None or 0 <= felt.load <= 1
