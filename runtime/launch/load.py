"""From what a user names to a plan: finds the launch file, reads it and what it includes, lays it out for this host."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from runtime import paths
from runtime.config import ConfigError, read_tree, suggest
from runtime.launch.expand import expand, hosts_of
from runtime.launch.plan import Plan, make_plan

DEFAULT = "local"
SUFFIX = ".yaml"
NODES = "sage.nodes"
"""Entry points under which a package registers its nodes."""


def load_plan(named: str, settings: Mapping[str, str], host: str) -> Plan:
    """The plan of the launch file `named` (a path, or the name of a shipped one; empty for the default).

    `host` may be empty: then it is this machine's name, if the file knows it.
    """
    path = find(named)
    tree = read_tree(path)
    known = hosts_of(tree)
    if not host and known and os.uname().nodename in known:
        host = os.uname().nodename
    launch = expand(path, read_tree, settings=settings, host=host, environment=os.environ)
    return make_plan(
        launch,
        run_dir=paths.run_dir(),
        state_dir=paths.state_dir(),
        python=sys.executable,
        module_of=module_of,
    )


def hosts(named: str) -> list[str]:
    """The hosts that the file has sections for."""
    return hosts_of(read_tree(find(named)))


def find(named: str) -> str:
    """The path of a launch file, as short as it can be said from here. ConfigError offers the shipped ones."""
    if named and Path(named).is_file():
        return named
    name = Path(named or DEFAULT)
    plain = str(name.parent) in (".", "launch")
    shipped = paths.shipped("launch") / f"{name.stem}{SUFFIX}"
    if plain and name.suffix in ("", SUFFIX) and shipped.is_file():
        return _shortened(shipped)
    offered = sorted(path.stem for path in paths.shipped("launch").glob(f"*{SUFFIX}"))
    raise ConfigError(
        f"there is no such launch file{suggest(name.stem, offered)}",
        place=named,
        remedy=f"a path, or one of the shipped: {', '.join(offered)}",
    )


def module_of(name: str) -> str:
    """The module of the node registered as `name`. ConfigError names what is registered."""
    from importlib.metadata import entry_points

    registered = {point.name: point.module for point in entry_points(group=NODES)}
    if name not in registered:
        known = suggest(name, registered) or f"; registered are: {', '.join(sorted(registered)) or 'none'}"
        raise ConfigError(f"no package registers a node {name!r}{known}")
    return registered[name]


def _shortened(path: Path) -> str:
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)
