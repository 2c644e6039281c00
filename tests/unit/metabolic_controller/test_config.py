import msgspec
import pytest

from nodes.metabolic_controller.config import MetabolismConfig, misordered
from protocol.messages.metabolism import Metabolic
from runtime import config as files
from runtime import paths

CONFIG = files.load(paths.shipped("configs/metabolism.yaml"), MetabolismConfig)


def test_the_shipped_thresholds_go_together():
    assert misordered(CONFIG) == []


@pytest.mark.parametrize(
    ("part", "change", "named"),
    [
        ("focus", {"leave_salience": 0.7}, "focus.leave_salience"),
        ("focus", {"leave_atp": 30.0}, "focus.leave_atp"),
        ("focus", {"quiet": 0.0}, "focus.quiet"),
        ("dream", {"leave_atp": 70.0}, "dream.leave_atp"),
        ("dream", {"enter_atp": 105.0}, "dream.enter_atp"),
        ("dream", {"after": 10.0}, "dream.after"),
        ("crisis", {"leave_errors": 4}, "crisis.leave_errors"),
        ("rest", {"tired_after": 999.0}, "rest.tired_after"),
        ("rest", {"rouse_salience": 0.0}, "rest.rouse_salience"),
        ("rest", {"rouse_salience": 0.95}, "rest.rouse_salience"),
        ("night", {"rest_after": 999.0}, "night.rest_after"),
        ("night", {"rest_after": 10.0}, "rest.tired_after"),
        ("night", {"dream_after": 9999.0}, "night.dream_after"),
        ("night", {"dream_after": 40.0}, "night.dream_after"),
        ("night", {"rouse_salience": 0.5}, "night.rouse_salience"),
        ("night", {"zone": "Middle/Earth"}, "'Middle/Earth'"),
        ("night", {"zone": "../etc/passwd"}, "night.zone"),
        ("body", {"cool": 90.0}, "body.cool"),
        ("body", {"battery_low": 0.3}, "body.battery_low"),
        ("body", {"idle": 0.9}, "body.idle"),
        ("body", {"every": 0.0}, "body.every"),
        ("senses", {"speech_limit": 0.0}, "senses.speech_limit"),
        ("senses", {"exchange_limit": 0.0}, "senses.exchange_limit"),
        ("senses", {"request_hold": 0.0}, "senses.request_hold"),
        ("senses", {"salience_half_life": 0.0}, "senses.salience_half_life"),
        ("crisis", {"window": 0.0}, "crisis.window"),
        ("crisis", {"enter_errors": 300}, "crisis.enter_errors"),
        ("energy", {"rates": {}}, "energy.rates must name every state; missing: WAKE, FOCUS, REST, DREAM, CRISIS"),
    ],
)
def test_what_cannot_be_meant_together_is_named(part: str, change: dict[str, object], named: str):
    changed = msgspec.structs.replace(getattr(CONFIG, part), **change)
    found = misordered(msgspec.structs.replace(CONFIG, **{part: changed}))
    assert any(named in message for message in found), found


@pytest.mark.parametrize(
    ("begins", "ends", "within", "without"),
    [
        (22.0, 7.0, (22.0, 23.9, 0.0, 6.9), (7.0, 12.0, 21.9)),
        (1.0, 5.0, (1.0, 4.9), (0.9, 5.0)),
        (0.0, 24.0, (0.0, 23.9), ()),
    ],
)
def test_the_night_may_pass_midnight(begins: float, ends: float, within: tuple[float, ...], without: tuple[float, ...]):
    night = msgspec.structs.replace(CONFIG.night, begins=begins, ends=ends)
    assert all(night.holds(hour) for hour in within)
    assert not any(night.holds(hour) for hour in without)


def test_where_the_night_ends_as_it_begins_there_is_none():
    assert not any(msgspec.structs.replace(CONFIG.night, begins=3.0, ends=3.0).holds(hour) for hour in range(24))


def test_every_state_has_its_dwell_time():
    assert {state: CONFIG.dwell(state) for state in Metabolic} == {
        Metabolic.WAKE: 5.0,
        Metabolic.FOCUS: 15.0,
        Metabolic.REST: 10.0,
        Metabolic.DREAM: 30.0,
        Metabolic.CRISIS: 20.0,
    }
