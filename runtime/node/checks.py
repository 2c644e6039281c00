"""What `sage check` asks of every node: that its module imports, and takes the parameters it is given."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from types import ModuleType

from protocol.errors import ParameterError
from runtime.launch.findings import Finding
from runtime.launch.plan import Plan, Process
from runtime.node.base import Node
from runtime.node.run import read_params


def check_params(plan: Plan) -> Iterator[Finding]:
    """Registered under `sage.checks`."""
    for process in plan.processes:
        module = module_of(process)
        if module is not None:
            yield from _check(process, module)


def module_of(process: Process) -> str | None:
    """The module of a process that runs as `python -m MODULE`."""
    return process.argv[2] if len(process.argv) == 3 and process.argv[1] == "-m" else None


def _check(process: Process, name: str) -> Iterator[Finding]:
    try:
        module = importlib.import_module(name)
    except Exception as error:
        yield Finding("error", f"module {name} does not import: {type(error).__name__}: {error}", process.place)
        return
    node_class = _node_class(module)
    if node_class is None:
        return
    try:
        read_params(node_class, process.environment.get("SAGE_PARAMS", "{}"))
    except ParameterError as error:
        yield Finding("error", f"params: {error}", process.place)


def _node_class(module: ModuleType) -> type[Node] | None:
    """The node that the module defines; None for one that is no node of ours, such as the hub."""
    own = [
        one
        for one in vars(module).values()
        if isinstance(one, type) and issubclass(one, Node) and one.__module__ == module.__name__
    ]
    return own[0] if len(own) == 1 else None
