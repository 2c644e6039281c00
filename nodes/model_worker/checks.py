"""What `sage check` asks of the model workers: that their models are here, and fit this host, a Jetson, a GPU."""

from __future__ import annotations

import json
from collections.abc import Iterator

from nodes.model_worker import fits, levels
from nodes.model_worker.host import total_memory
from protocol.errors import ConfigError
from runtime.console import size
from runtime.launch.findings import ConfigKind, Finding
from runtime.launch.plan import Plan

_MODULE = "nodes.model_worker.node"
LEVELS = ConfigKind(levels.Levels)
"""Registered under `sage.configs`. What a plan's workers would read, `check_models` looks at."""


def check_models(plan: Plan) -> Iterator[Finding]:
    """Registered under `sage.checks`."""
    for path, names in sorted(_levels_named(plan).items()):
        try:
            asked = levels.load(path or None)
        except ConfigError as error:
            yield Finding("error", str(error), path)
            continue
        yield from _unknown(asked, path, names)
        demands = [one for one in fits.demands(asked) if one.name in names]
        problems = [Finding("error", one.problem, f"{path}: {one.name}") for one in demands if one.problem]
        yield from problems
        if problems:
            continue
        host = fits.Host("this host", memory=total_memory(), reserved=fits.NODES)
        yield from (_weigh(fits.budget(demands, where)) for where in (host, fits.JETSON_8GB, fits.GPU_16GB))


def _levels_named(plan: Plan) -> dict[str, list[str]]:
    """Levels file → the levels of it that this plan runs."""
    named: dict[str, list[str]] = {}
    for process in plan.processes:
        if _MODULE in process.argv:
            params = json.loads(process.environment.get("SAGE_PARAMS", "{}"))
            named.setdefault(str(params.get("levels", "")), []).append(str(params.get("level", "")))
    return named


def _unknown(asked: levels.Levels, path: str, names: list[str]) -> Iterator[Finding]:
    known = [level.name for level in asked.levels]
    for name in names:
        if name not in known:
            yield Finding("error", f"no level {name!r} is configured, there are: {', '.join(known)}", path)


def _weigh(budget: fits.Budget) -> Finding:
    """One host: what all levels take there, and what would have to stay unloaded."""
    each = ", ".join(f"{fit.demand.name} {size(fit.total)}" for fit in budget.fits)
    here = budget.host.name == "this host"
    if budget.together:
        return Finding("note", f"fits: {each}; {size(budget.left)} are left", budget.host.name)
    resident = ", ".join(budget.resident) or "none"
    text = f"does not hold all at once: {each}; {size(-budget.left)} are missing; at once: {resident}"
    return Finding("warning" if here else "note", text, budget.host.name)
