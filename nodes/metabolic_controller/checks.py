"""What `sage check` asks of the metabolism: that its machine has no trap, no deaf state and does not flap."""

from __future__ import annotations

import json
from collections.abc import Iterator

from nodes.metabolic_controller.config import MetabolismConfig
from nodes.metabolic_controller.explore import faults
from protocol.errors import ConfigError
from runtime import config, paths
from runtime.launch.findings import Finding
from runtime.launch.plan import Plan

_MODULE = "nodes.metabolic_controller.node"


def check_metabolism(plan: Plan) -> Iterator[Finding]:
    """Registered under `sage.checks`."""
    for process in plan.processes:
        if _MODULE not in process.argv:
            continue
        params = json.loads(process.environment.get("SAGE_PARAMS", "{}"))
        path = str(params.get("config") or paths.shipped("configs/metabolism.yaml"))
        try:
            settings = config.load(path, MetabolismConfig)
        except ConfigError as error:
            yield Finding("error", str(error), path)
            continue
        yield from (Finding("error", fault, path) for fault in faults(settings))
