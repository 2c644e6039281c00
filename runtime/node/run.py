"""A node as a process: its name, directories and parameters come from the environment (`sage up` sets them)."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
from typing import Any

import msgspec

from protocol.errors import ConfigError, ParameterError, SageError
from runtime import config
from runtime.identity import host_name
from runtime.logs import configure
from runtime.node.base import Node
from runtime.paths import run_dir, state_dir

EXIT_FAILED = 1
EXIT_CONFIG = 2

_NAME = re.compile(r"[a-z][a-z0-9_-]*(/[a-z0-9_-]+)?")


def run(node_class: type[Node]) -> None:
    """Run the node until it is told to stop, then leave the process.

    Reads SAGE_NODE (its name; by default the class's in snake case), SAGE_PARAMS (a JSON object), SAGE_RUN_DIR and
    SAGE_STATE_DIR. Exit status: 0 stopped in order, 1 failed, 2 wrong name or parameters.
    """
    name = os.environ.get("SAGE_NODE") or _snake_case(node_class.__name__)
    log = configure(name)
    try:
        node = make(node_class, name, os.environ.get("SAGE_PARAMS") or "{}", log)
    except ConfigError as error:
        log.critical("node.refused", error=str(error))
        sys.exit(EXIT_CONFIG)
    try:
        asyncio.run(_serve(node))
    except SageError as error:
        log.critical("node.failed", error=str(error))
        sys.exit(EXIT_FAILED)
    except Exception:
        log.critical("node.failed", exc_info=True)
        sys.exit(EXIT_FAILED)


def make(node_class: type[Node], name: str, params: str, log: Any) -> Node:
    """The node, its parameters validated. Raises `ParameterError` naming the parameter, `ConfigError` for the name."""
    if not _NAME.fullmatch(name):
        raise ConfigError(f"{name!r} is no node name: lower case, digits, '_', '-', at most one '/'", place="SAGE_NODE")
    return node_class(
        name=name,
        params=read_params(node_class, params),
        run_dir=run_dir(),
        state_dir=state_dir(),
        host=host_name(),
        log=log,
    )


def read_params(node_class: type[Node], text: str) -> Any:
    """`text`, a JSON object, as the node's `Params`. Raises `ParameterError` naming the parameter."""
    takes = ", ".join(field.name for field in msgspec.structs.fields(node_class.Params)) or "none"
    try:
        return config.from_plain(msgspec.json.decode(text), node_class.Params, "SAGE_PARAMS")
    except (ConfigError, msgspec.DecodeError) as error:
        raise ParameterError(str(error), place=f"{node_class.__name__}.Params", remedy=f"it takes: {takes}") from error


async def _serve(node: Node) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, node.request_stop)
    await node.live()


def _snake_case(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()
