"""What `sage check` knows of `configs/dream.yaml`."""

from __future__ import annotations

from nodes.dream_consolidator.settings import Settings
from runtime.launch.findings import ConfigKind

DREAM = ConfigKind(Settings, module="nodes.dream_consolidator.node", ships="configs/dream.yaml")
"""Registered under `sage.configs`."""
