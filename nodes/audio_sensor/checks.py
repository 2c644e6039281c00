"""What `sage check` knows of `configs/voice.yaml`: the part about hearing."""

from __future__ import annotations

from nodes.audio_sensor.settings import VoiceFile
from runtime.launch.findings import ConfigKind

VOICE = ConfigKind(VoiceFile, module="nodes.audio_sensor.node", ships="configs/voice.yaml")
"""Registered under `sage.configs`."""
