"""What `sage check` asks of the metabolism: that its machine has no trap, no deaf state and does not flap."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

from nodes.metabolic_controller.config import MetabolismConfig, misordered
from nodes.metabolic_controller.explore import explore, faults
from protocol.errors import ConfigError
from runtime import config, paths
from runtime.launch.findings import ConfigKind, Finding
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


def examine(settings: MetabolismConfig) -> Iterator[Finding]:
    """Every rule that is broken, and how much was searched."""
    local = misordered(settings)
    yield from (Finding("error", message) for message in local)
    if local:
        return
    began = time.monotonic()
    found = explore(settings)
    seconds = time.monotonic() - began
    for violation in found.violations:
        yield Finding("error", f"{violation.rule}: {violation.message} ({violation.cases} such cases)")
    changes = len(found.transitions)
    yield Finding(
        "note",
        f"searched {found.inputs} inputs in {found.steps} steps and {found.configurations} configurations of a life"
        f" in {seconds:.1f} s: {changes} ways between states, at most {found.longest} transitions in a row",
    )


METABOLISM = ConfigKind(MetabolismConfig, examine)
"""Registered under `sage.configs`."""
