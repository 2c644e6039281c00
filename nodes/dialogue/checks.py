"""What `sage check` knows of the dialogue's configurations."""

from __future__ import annotations

from nodes.dialogue import critical
from nodes.dialogue.config import DialogueConfig
from nodes.dialogue.critical import CriticalFile
from nodes.dialogue.reality.settings import RealityConfig
from runtime.launch.findings import ConfigKind

MODULE = "nodes.dialogue.node"
DIALOGUE = ConfigKind(DialogueConfig, module=MODULE, ships="configs/dialogue.yaml")
CRITICAL = ConfigKind(CriticalFile, module=MODULE, param="critical", ships=critical.SHIPPED)
REALITY = ConfigKind(RealityConfig, module=MODULE, param="reality", ships="configs/reality.yaml")
"""Registered under `sage.configs`."""
