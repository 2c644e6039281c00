"""What `sage check` finds.

A package adds a check of its own: a function from a Plan to findings, registered under the entry points `sage.checks`.
"""

from collections.abc import Callable, Iterable
from typing import Literal

from msgspec import Struct

from runtime.launch.plan import Plan

CHECKS = "sage.checks"


class Finding(Struct, frozen=True):
    """One thing to know: an error keeps the plan from working, a warning may."""

    level: Literal["error", "warning", "note"]
    message: str
    place: str = ""


Check = Callable[[Plan], Iterable[Finding]]
