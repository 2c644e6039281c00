"""The hour of the day where the people are."""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo


def hour(wall_s: float, zone: str) -> float:
    """Hour 0..24 at a wall time in seconds since 1970, in the time zone; "" is the machine's own.

    Raises KeyError for a zone that there is not, which the configuration's own check has refused before.
    """
    at = datetime.fromtimestamp(wall_s, UTC).astimezone(_zone(zone))
    return at.hour + at.minute / 60 + at.second / 3600


def _zone(name: str) -> tzinfo | None:
    if not name:
        return None
    from zoneinfo import ZoneInfo

    return ZoneInfo(name)
