"""What `sage check` knows of `configs/voice.yaml`: the part about speaking."""

from __future__ import annotations

from nodes.speaker.settings import VoiceFile
from runtime.launch.findings import ConfigKind

VOICE = ConfigKind(VoiceFile, module="nodes.speaker.node", ships="configs/voice.yaml")
"""Registered under `sage.configs`."""
