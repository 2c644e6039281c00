"""What other packages bring: found by entry point, loaded when first needed, named when broken."""

from __future__ import annotations

from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from protocol.errors import ConfigError


@cache
def _points(group: str) -> dict[str, EntryPoint]:
    """The group's entry points by name. What is installed does not change under a running process."""
    return {point.name: point for point in sorted(entry_points(group=group), key=lambda point: point.name)}


def names(group: str) -> list[str]:
    """Names registered under the entry-point group, sorted."""
    return list(_points(group))


def load(group: str, name: str) -> Any:
    """The object registered as `name`. Raises `ConfigError` where there is none, or its import fails."""
    point = _points(group).get(name)
    if point is None:
        known = ", ".join(names(group)) or "none"
        raise ConfigError(f"no {name!r} is registered under {group} (there are: {known})", place=group)
    try:
        return point.load()
    except Exception as error:
        raise ConfigError(
            f"{point.value} does not load: {type(error).__name__}: {error}",
            place=f"{group}:{name}",
            remedy="reinstall the package that registers it",
        ) from error


def load_all(group: str) -> dict[str, Any]:
    """Every object of the group by name."""
    return {name: load(group, name) for name in names(group)}
