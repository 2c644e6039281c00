"""What other packages bring: found by entry point, loaded when first needed, named when broken."""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import Any

from protocol.errors import ConfigError


def names(group: str) -> list[str]:
    """Names registered under the entry-point group, sorted."""
    return sorted(point.name for point in entry_points(group=group))


def load(group: str, name: str) -> Any:
    """The object registered as `name`. Raises `ConfigError` where there is none, or its import fails."""
    found = entry_points(group=group, name=name)
    if not found:
        known = ", ".join(names(group)) or "none"
        raise ConfigError(f"no {name!r} is registered under {group} (there are: {known})", place=group)
    point = next(iter(found))
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
