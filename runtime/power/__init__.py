"""What this machine's own sensors say of the energy it takes, in joules.

    meter = power.sensor("cpu")            # None where no sensor can be read
    before = meter.joules()
    ...
    spent = meter.joules() - before

| source | what | counts |
|---|---|---|
| `ina`  | INA3221 of a Jetson, by sysfs   | the module, everything on it |
| `nvml` | NVIDIA's driver, by nvidia-ml-py | one GPU |
| `rapl` | RAPL, by /sys/class/powercap     | processor packages and, where it is apart, their memory |
| `cpu`  | processor seconds x watts        | this process alone; nothing is measured |

All but `cpu` count what everybody draws, idle draw included: two answers at the same time are each told the energy of
both. Reading a file and making sense of it are apart, so that recorded trees can be read in tests.
"""

from runtime.power.errors import MeterError
from runtime.power.meter import Meter, Readiness, readiness, sensor, sensors
from runtime.power.processor import Processor

__all__ = ["Meter", "MeterError", "Processor", "Readiness", "readiness", "sensor", "sensors"]
