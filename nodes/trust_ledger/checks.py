"""What `sage check` knows of `configs/trust.yaml`."""

from __future__ import annotations

from nodes.trust_ledger.config import TrustConfig
from runtime.launch.findings import ConfigKind

TRUST = ConfigKind(TrustConfig, module="nodes.trust_ledger.node", ships="configs/trust.yaml")
"""Registered under `sage.configs`."""
