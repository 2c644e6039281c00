"""Are the `params` of each node what its class takes? Asked of the classes themselves, in a process of its own.

Importing a node may be heavy, or fail: neither should happen to who only checks a file. So `check` starts
`python -m runtime.launch.parameters`, gives it modules and params as JSON, and reads findings.
"""

import importlib
import subprocess
import sys
from collections.abc import Iterable
from typing import Any

import msgspec

from runtime.config import ConfigError, from_plain
from runtime.launch.findings import Finding
from runtime.launch.plan import Plan

SECONDS = 60.0
"""For importing all modules once."""


class Asked(msgspec.Struct, frozen=True):
    """A node, the module that runs it and what it would be given."""

    name: str
    module: str
    params: dict[str, Any]
    place: str


def check(plan: Plan) -> list[Finding]:
    """What is wrong with the params of the plan's nodes."""
    asked = [
        Asked(process.name, process.argv[2], msgspec.json.decode(process.environment["SAGE_PARAMS"]), process.place)
        for process in plan.processes
        if process.argv[1:2] == ("-m",)
    ]
    command = [sys.executable, "-m", "runtime.launch.parameters"]
    try:
        done = subprocess.run(
            command, input=msgspec.json.encode(asked), capture_output=True, timeout=SECONDS, check=False
        )
        return msgspec.json.decode(done.stdout, type=list[Finding])
    except (subprocess.TimeoutExpired, msgspec.MsgspecError) as error:
        return [Finding("warning", f"params were not checked: {error}", plan.file)]


def examine(asked: Iterable[Asked]) -> list[Finding]:
    """Import each module and convert the params to the `Params` of the node class it defines, if it defines one."""
    findings: list[Finding] = []
    for one in asked:
        try:
            module = importlib.import_module(one.module)
        except Exception as error:  # whatever a module may raise while it is imported
            findings.append(Finding("error", f"nodes.{one.name}: {one.module} cannot be imported: {error}", one.place))
            continue
        for params in _params_of(module):
            try:
                from_plain(one.params, params, f"nodes.{one.name}.params")
            except ConfigError as error:
                findings.append(Finding("error", str(error), one.place))
    return findings


def _params_of(module: Any) -> list[type[msgspec.Struct]]:
    """The `Params` of classes that the module itself defines."""
    classes = [value for value in vars(module).values() if isinstance(value, type)]
    own = [cls.Params for cls in classes if cls.__module__ == module.__name__ and hasattr(cls, "Params")]
    return [params for params in own if isinstance(params, type) and issubclass(params, msgspec.Struct)]


if __name__ == "__main__":
    found = examine(msgspec.json.decode(sys.stdin.buffer.read(), type=list[Asked]))
    sys.stdout.buffer.write(msgspec.json.encode(found))
