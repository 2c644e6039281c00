"""What `sage check` knows of the dialogue's configurations."""

from __future__ import annotations

from nodes.dialogue.config import DialogueConfig
from nodes.dialogue.reality.settings import RealityConfig
from runtime.launch.findings import ConfigKind

MODULE = "nodes.dialogue.node"
DIALOGUE = ConfigKind(DialogueConfig, module=MODULE, ships="configs/dialogue.yaml")
REALITY = ConfigKind(RealityConfig, module=MODULE, param="reality", ships="configs/reality.yaml")
"""Registered under `sage.configs`."""
