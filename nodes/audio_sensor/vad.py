"""Voice activity by the Silero network, through onnxruntime.

The model file is taken out of the installed package `silero_vad` without importing it: that would import torch.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from nodes.audio_sensor.errors import PartMissing
from nodes.audio_sensor.slots import FRAME, RATE, Readiness

if TYPE_CHECKING:
    import numpy as np

MODEL = "silero_vad_16k_op15.onnx"
CONTEXT = 64
"""Samples of the previous frame that the network sees before the current one."""


class SileroVad:
    """One stream of audio. Input (1, 64 + 512) float32 and state (2, 1, 128) float32; output a probability."""

    def __init__(self) -> None:
        import numpy as np

        model = _model_file()
        onnxruntime = _onnxruntime()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        # A thread that spins between frames would keep a core of a small device awake for nothing.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.add_session_config_entry("session.inter_op.allow_spinning", "0")
        options.enable_cpu_mem_arena = False
        self._session = onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
        self._rate = np.array(RATE, np.int64)
        self._context = np.zeros(0, np.float32)
        self._state = np.zeros(0, np.float32)
        self.reset()

    @staticmethod
    def probe() -> Readiness:
        try:
            model, runtime = _model_file(), _onnxruntime()
        except PartMissing as missing:
            return Readiness(False, f"silero: {missing.message}", missing.remedy)
        return Readiness(True, f"silero: {model.name} by onnxruntime {runtime.__version__}")

    def probability(self, frame: np.ndarray) -> float:
        import numpy as np

        if frame.shape != (FRAME,):
            raise ValueError(f"a frame has the shape ({FRAME},), not {frame.shape}")
        given = np.concatenate([self._context, frame])[None, :].astype(np.float32)
        probability, self._state = self._session.run(None, {"input": given, "state": self._state, "sr": self._rate})
        self._context = frame[-CONTEXT:]
        return float(probability[0, 0])

    def reset(self) -> None:
        import numpy as np

        self._state = np.zeros((2, 1, 128), np.float32)
        self._context = np.zeros(CONTEXT, np.float32)


def _model_file() -> Path:
    remedy = "pip install --no-deps silero-vad"
    found = importlib.util.find_spec("silero_vad")
    if found is None or not found.submodule_search_locations:
        raise PartMissing("the package silero_vad is not installed", remedy=remedy)
    model = Path(found.submodule_search_locations[0]) / "data" / MODEL
    if not model.is_file():
        raise PartMissing(
            "the package silero_vad lacks its model", place=str(model), remedy=f"{remedy} --force-reinstall"
        )
    return model


def _onnxruntime() -> ModuleType:
    try:
        import onnxruntime
    except ImportError as error:
        raise PartMissing(f"onnxruntime does not load: {error}", remedy="pip install onnxruntime") from error
    return onnxruntime  # type: ignore[no-any-return]
