"""Looks for the highest rate that still works. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace

_FINEST = 1.04


@dataclass(frozen=True)
class Staircase:
    """Up by a factor while it works, down while it does not; every turn takes the root of the factor.

    On a machine that others use as well a rate can fail by bad luck: the staircase comes back and tries it again.
    """

    rate: float
    """What to try next."""
    factor: float = 2.0
    worked: bool | None = None
    """How the last trial ended; None before the first."""

    def after(self, worked: bool) -> Staircase:
        """What to try after a trial at `rate`."""
        turned = self.worked is not None and worked != self.worked
        factor = max(self.factor**0.5, _FINEST) if turned else self.factor
        return replace(self, rate=self.rate * factor if worked else self.rate / factor, factor=factor, worked=worked)
