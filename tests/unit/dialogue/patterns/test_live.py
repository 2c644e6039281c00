"""An answer says what is so at the moment, and what is not known is not made up."""

from datetime import UTC, datetime

import pytest

from nodes.dialogue.patterns import LiveValues, load
from nodes.dialogue.patterns.live import spoken_values
from runtime.sensors import battery, temperature

MONDAY = datetime(2027, 5, 3, 14, 5, tzinfo=UTC).timestamp()
SHIPPED = load()


def utc(at: float) -> datetime:
    return datetime.fromtimestamp(at, UTC).replace(tzinfo=None)


def answer(text: str, **known) -> str:
    found = SHIPPED.match(text)
    assert found is not None
    return found.filled(LiveValues(MONDAY, local=utc, **known)).text


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("what time is it", "It is 14:05."),
        ("what day is it", "It is Monday, 3 May 2027."),
        ("what day is tomorrow", "That is Tuesday, 4 May 2027."),
        ("what was the date the day before yesterday", "That is Saturday, 1 May 2027."),
        ("what time will it be in ninety minutes", None),
        ("what time will it be in 58 minutes", "In 58 minutes it will be 15:03."),
        ("what time will it be in ten hours", "In ten hours it will be 00:05."),
        ("what time will it be in an hour", "In an hour it will be 15:05."),
        ("what time was it six minutes ago", "That was at 13:59."),
        ("how long until three", "It is 55 minutes until three."),
        ("how long until 2:05", "It is 12 hours until 2 05."),
        ("how long until 14:06", "It is 1 minute until 14 06."),
        ("how long until noon", "It is 21 hours and 55 minutes until noon."),
        ("how long until four am", "It is 13 hours and 55 minutes until four am."),
    ],
)
def test_time_is_reckoned_from_now(text: str, said: str | None) -> None:
    if said is None:
        assert SHIPPED.match(text) is None
    else:
        assert answer(text) == said


def test_what_the_whole_and_the_machine_say_is_said() -> None:
    assert answer("how are you", state="WAKE", atp=79.6) == "I am in WAKE, with 80 of 100 energy."
    assert answer("battery level", battery=lambda: 0.41) == "The battery is at 41 percent."
    assert answer("how hot are you", temperature=lambda: 60.4).endswith("at 60 degrees.")


def test_what_is_not_known_is_said_not_to_be() -> None:
    found = SHIPPED.match("how are you")
    assert found is not None
    filled = found.filled(LiveValues(MONDAY, state="WAKE"))
    assert filled.missing == ("atp",)
    assert "nobody tells me" in filled.text
    assert answer("battery level") == "I have no battery that I could read."


def test_sensors_are_read_only_where_an_answer_names_them() -> None:
    def unasked() -> float:
        raise AssertionError

    assert answer("what time is it", battery=unasked, temperature=unasked)


def test_every_value_can_be_told_as_an_answer_would_say_it() -> None:
    values = spoken_values(LiveValues(MONDAY, state="REST", local=utc))
    assert values == {"time": "14:05", "date": "3 May 2027", "weekday": "Monday", "state": "REST"}


def test_charge_is_that_of_the_emptiest_battery_of_the_machine(tmp_path) -> None:
    for name, fields in {
        "AC": {"type": "Mains"},
        "BAT0": {"type": "Battery", "capacity": "80"},
        "BAT1": {"type": "Battery", "capacity": "41"},
        "mouse": {"type": "Battery", "capacity": "3", "scope": "Device"},
    }.items():
        folder = tmp_path / "sys/class/power_supply" / name
        folder.mkdir(parents=True)
        for field, value in fields.items():
            (folder / field).write_text(f"{value}\n")
    assert battery(tmp_path) == 0.41
    assert temperature(tmp_path) is None
