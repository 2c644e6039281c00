"""The power monitors of Jetson boards as recorded trees show them, and joules from watts."""

from pathlib import Path

import pytest

from runtime.power.errors import MeterError
from runtime.power.ina import Ina, counted, rails
from runtime.power.integral import Area, Integral


def chip(root: Path, number: int, channels: dict[int, tuple[str, int, int]], name: str = "ina3221") -> Path:
    """Channel → label, millivolts, milliamperes."""
    path = root / f"hwmon{number}"
    path.mkdir(parents=True)
    (path / "name").write_text(f"{name}\n")
    for channel, (label, volts, amperes) in channels.items():
        (path / f"in{channel}_label").write_text(f"{label}\n")
        (path / f"in{channel}_input").write_text(f"{volts}\n")
        (path / f"curr{channel}_input").write_text(f"{amperes}\n")
    (path / "in7_label").write_text("sum of shunt voltages\n")
    return path


@pytest.fixture
def nano(tmp_path: Path) -> Path:
    chip(tmp_path, 0, {1: ("cpu_thermal", 0, 0)}, name="thermal")
    chip(tmp_path, 1, {1: ("VDD_IN", 5000, 1200), 2: ("VDD_CPU_GPU_CV", 5000, 400), 3: ("VDD_SOC", 5000, 300)})
    return tmp_path


def test_one_rail_that_is_the_whole_module_stands_alone(nano: Path):
    assert [rail.label for rail in rails(nano)] == ["VDD_IN", "VDD_CPU_GPU_CV", "VDD_SOC"]
    (whole,) = counted(rails(nano))
    assert (whole.label, whole.watts()) == ("VDD_IN", 6.0)


def test_rails_that_are_the_module_together_are_counted_once_each(tmp_path: Path):
    chip(tmp_path, 3, {1: ("VDD_GPU_SOC", 19000, 500), 2: ("VDD_CPU_CV", 19000, 100), 3: ("VIN_SYS_5V0", 5000, 800)})
    chip(tmp_path, 4, {1: ("NC", 0, 0), 2: ("VDDQ_VDD2_1V8AO", 19000, 50), 3: ("NC", 0, 0)})
    together = counted(rails(tmp_path))
    assert [rail.label for rail in together] == ["VDD_GPU_SOC", "VDD_CPU_CV", "VIN_SYS_5V0"]
    assert sum(rail.watts() for rail in together) == pytest.approx(9.5 + 1.9 + 4.0)


def test_what_cannot_be_read_is_named(tmp_path: Path, nano: Path):
    assert Ina(tmp_path / "none").probe() == f"there is no {tmp_path / 'none'}"
    (tmp_path / "other").mkdir()
    chip(tmp_path / "other", 0, {1: ("cpu", 1, 1)}, name="coretemp")
    assert Ina(tmp_path / "other").probe() == f"no INA3221 under {tmp_path / 'other'}"
    (nano / "hwmon1" / "curr1_input").write_text("broken\n")
    assert Ina(nano).probe().startswith("cannot be read: ")


def test_a_monitor_counts_joules_while_it_is_read(nano: Path):
    meter = Ina(nano)
    assert meter.probe() == ""
    first = meter.joules()
    assert meter.joules() >= first
    meter.close()


def test_joules_are_the_area_under_the_readings():
    area = Area()
    for at_s, watts in ((0.0, 10.0), (1.0, 20.0), (1.0, 99.0), (0.5, 99.0), (3.0, 0.0)):
        area.add(at_s, watts)
    assert area.joules == 15.0 + 20.0


def test_a_sensor_that_fails_and_comes_back_says_so():
    now = iter(range(1000))
    answers: list[float | Exception] = [4.0, OSError("the bus is stuck"), 4.0]

    def watts() -> float:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    integral = Integral(watts, every_s=3600.0, seconds=lambda: float(next(now)))
    with pytest.raises(MeterError, match="the bus is stuck"):
        integral.joules()
    assert integral.joules() == pytest.approx(8.0), "the gap is bridged by what was read around it"
    integral.close()
