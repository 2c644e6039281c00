"""What `sage check` finds.

A package adds a check of its own: a function from a Plan to findings, registered under the entry points `sage.checks`;
and a kind of configuration that `sage check FILE` knows, a `ConfigKind`, under `sage.configs`.
"""

from collections.abc import Callable, Iterable
from typing import Any, Literal

from msgspec import Struct

from runtime.launch.plan import Plan

CHECKS = "sage.checks"
CONFIGS = "sage.configs"


class Finding(Struct, frozen=True):
    """One thing to know: an error keeps the plan from working, a warning may."""

    level: Literal["error", "warning", "note"]
    message: str
    place: str = ""


class ConfigKind(Struct, frozen=True):
    """A kind of configuration file beside the launch files."""

    type: type[Any]
    """What the file is converted to. Its fields also tell what kind a file is."""
    examine: Callable[[Any], Iterable[Finding]] = lambda _value: ()
    """What there is to know of the value."""
    module: str = ""
    """Module of the node that reads such a file; `sage check` of a launch file reads what that node would."""
    param: str = "config"
    """The node's parameter that names the file."""
    ships: str = ""
    """The file that it reads where the parameter is empty or not given."""


Check = Callable[[Plan], Iterable[Finding]]
