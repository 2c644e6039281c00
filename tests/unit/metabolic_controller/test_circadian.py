import pytest

from nodes.metabolic_controller.circadian import hour

MIDNIGHT_UTC = 1_767_225_600.0  # 2026-01-01


@pytest.mark.parametrize(
    ("zone", "there"), [("UTC", 0.0), ("Europe/Vienna", 1.0), ("America/New_York", 19.0), ("Asia/Kolkata", 5.5)]
)
def test_the_hour_is_that_of_the_zone(zone: str, there: float):
    assert hour(MIDNIGHT_UTC, zone) == there
    assert hour(MIDNIGHT_UTC + 90.0, zone) == pytest.approx(there + 0.025)


def test_summer_time_is_respected():
    july = MIDNIGHT_UTC + 190 * 86400
    assert hour(july, "Europe/Vienna") == 2.0


def test_the_machines_own_zone_is_used_where_none_is_named(monkeypatch: pytest.MonkeyPatch):
    import time

    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        assert hour(MIDNIGHT_UTC, "") == 9.0
    finally:
        monkeypatch.undo()
        time.tzset()
