"""The energy counter of an NVIDIA GPU: millijoules since the driver was loaded, of Volta and later.

It needs the package `nvidia-ml-py`, which is looked for when it is asked for; nothing depends on it.
"""

from __future__ import annotations

import os
from typing import Any

from runtime.power.errors import MeterError


class Nvml:
    source = "nvml"

    def __init__(self, library: Any = None, visible: str | None = None) -> None:
        """`library`: what `import pynvml` gives. `visible`: as CUDA_VISIBLE_DEVICES; None: that itself."""
        self._library = library
        self._visible = os.environ.get("CUDA_VISIBLE_DEVICES", "") if visible is None else visible
        self._device: Any = None

    def probe(self) -> str:
        if self._library is None:
            try:
                import pynvml
            except ImportError:
                return "the package nvidia-ml-py is not installed (pip install nvidia-ml-py)"
            self._library = pynvml
        nvml = self._library
        try:
            nvml.nvmlInit()
        except nvml.NVMLError as error:
            return f"the driver does not answer: {error}"
        try:
            self._device = _device(nvml, self._visible)
            nvml.nvmlDeviceGetTotalEnergyConsumption(self._device)
        except nvml.NVMLError as error:
            self._device = None
            nvml.nvmlShutdown()
            return f"the GPU does not count energy: {error}"
        return ""

    def joules(self) -> float:
        nvml = self._library
        try:
            return float(nvml.nvmlDeviceGetTotalEnergyConsumption(self._device)) / 1000.0
        except nvml.NVMLError as error:
            raise MeterError(f"cannot be read any more: {error}", place="nvml") from error

    def close(self) -> None:
        if self._device is not None:
            self._device = None
            self._library.nvmlShutdown()


def _device(nvml: Any, visible: str) -> Any:
    """The GPU that CUDA calls 0: the first that the process may see."""
    first = visible.split(",", maxsplit=1)[0].strip()
    if first.startswith(("GPU-", "MIG-")):
        return nvml.nvmlDeviceGetHandleByUUID(first)
    return nvml.nvmlDeviceGetHandleByIndex(int(first) if first.isdigit() else 0)
