"""Speech for tests, made by espeak-ng. Tests that need a part this machine lacks are skipped, and say which."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest

from nodes.audio_sensor.sources import Recording

needs_voice = pytest.mark.skipif(shutil.which("espeak-ng") is None, reason="needs espeak-ng: apt-get install espeak-ng")
needs_vad = pytest.mark.skipif(
    any(importlib.util.find_spec(package) is None for package in ("onnxruntime", "silero_vad")),
    reason="needs onnxruntime and the model of silero_vad: pip install --no-deps silero-vad",
)
needs_sphinx = pytest.mark.skipif(
    importlib.util.find_spec("pocketsphinx") is None, reason="needs pocketsphinx: pip install pocketsphinx"
)


@cache
def spoken(text: str, voice: str = "en-us") -> np.ndarray:
    """float32 (n,) at 16 kHz."""
    with TemporaryDirectory() as folder:
        path = write_spoken(Path(folder) / "said.wav", text, voice)
        return np.concatenate(list(Recording(path).frames()))


def write_spoken(path: Path, text: str, voice: str = "en-us") -> Path:
    subprocess.run(["espeak-ng", "-v", voice, "-s", "150", "-w", str(path), text], check=True)
    return path


def with_pauses(*sounds: np.ndarray, seconds: float = 1.0) -> np.ndarray:
    """The sounds with digital silence before, between and behind them; float32 (n * 512,)."""
    silence = np.zeros(round(seconds * 16000), np.float32)
    joined = np.concatenate([silence, *(part for sound in sounds for part in (sound, silence))])
    return joined[: len(joined) // 512 * 512]
