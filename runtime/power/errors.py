"""What can be wrong with a sensor."""

from __future__ import annotations

from protocol.errors import SageError


class MeterError(SageError):
    """A sensor that could be read no longer can."""

    code = "power.meter"
