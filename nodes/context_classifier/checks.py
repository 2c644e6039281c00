"""What `sage check` knows of `configs/context.yaml`."""

from __future__ import annotations

from nodes.context_classifier.config import ContextConfig
from runtime.launch.findings import ConfigKind

CONTEXT = ConfigKind(ContextConfig, module="nodes.context_classifier.node", ships="configs/context.yaml")
"""Registered under `sage.configs`."""
