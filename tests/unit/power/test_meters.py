"""A GPU's counter, the fallback, and which meter is trusted."""

import sys
from types import SimpleNamespace
from typing import Any

import pytest

from runtime import power
from runtime.power import meter as meters
from runtime.power.errors import MeterError
from runtime.power.nvml import Nvml


class Broken(Exception):
    pass


def library(joules: list[float | Exception]) -> Any:
    """What nvidia-ml-py offers, of a GPU that counts these joules."""
    asked: list[Any] = []

    def counter(device: Any) -> int:
        asked.append(device)
        value = joules.pop(0)
        if isinstance(value, Exception):
            raise value
        return round(value * 1000)

    return SimpleNamespace(
        NVMLError=Broken,
        nvmlInit=lambda: None,
        nvmlShutdown=lambda: asked.append("shut down"),
        nvmlDeviceGetHandleByIndex=lambda index: index,
        nvmlDeviceGetHandleByUUID=lambda uuid: uuid,
        nvmlDeviceGetTotalEnergyConsumption=counter,
        asked=asked,
    )


@pytest.mark.parametrize(("visible", "device"), [("", 0), ("2,3", 2), ("GPU-5f", "GPU-5f")])
def test_the_gpu_that_the_process_sees_first_is_counted(visible: str, device: object):
    nvml = library([5.0, 5.0, 7.5])
    meter = Nvml(nvml, visible)
    assert meter.probe() == ""
    assert (meter.joules(), meter.joules()) == (5.0, 7.5)
    meter.close()
    meter.close()
    assert nvml.asked == [device, device, device, "shut down"]


def test_a_gpu_that_counts_nothing_is_said_to_be_so():
    meter = Nvml(library([Broken("Not Supported")]), "")
    assert meter.probe() == "the GPU does not count energy: Not Supported"
    meter = Nvml(library([1.0, Broken("GPU is lost")]), "")
    assert meter.probe() == ""
    with pytest.raises(MeterError, match="GPU is lost"):
        meter.joules()


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "pynvml", None)
    assert "nvidia-ml-py is not installed" in Nvml(visible="").probe()


def test_processor_seconds_stand_in_at_so_many_watts():
    seconds = iter([1.0, 3.5])
    meter = power.Processor(10.0, lambda: next(seconds))
    assert (meter.source, meter.probe()) == ("cpu", "")
    assert -meter.joules() + meter.joules() == 25.0


class Stub:
    def __init__(self, source: str, problem: str) -> None:
        self.source, self.problem, self.closed = source, problem, False

    def probe(self) -> str:
        return self.problem

    def joules(self) -> float:
        return 0.0

    def close(self) -> None:
        self.closed = True


def test_the_best_sensor_that_can_be_read_is_taken_and_the_others_closed(monkeypatch):
    there = [Stub("ina", "no INA3221"), Stub("rapl", ""), Stub("other", "")]
    monkeypatch.setattr(meters, "sensors", lambda _device: there)
    assert power.sensor("cpu") is there[1]
    assert [stub.closed for stub in there] == [True, False, True]
    there[1].problem = there[2].problem = "broken"
    assert power.sensor("cpu") is None


def test_every_kind_of_sensor_says_whether_it_can_be_read():
    assert [one.source for one in power.readiness()] == ["ina", "nvml", "rapl"]
