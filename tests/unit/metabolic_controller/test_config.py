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
        ("dream", {"leave_atp": 60.0}, "dream.leave_atp"),
        ("dream", {"enter_atp": 105.0}, "dream.enter_atp"),
        ("dream", {"after": 10.0}, "dream.after"),
        ("crisis", {"leave_errors": 4}, "crisis.leave_errors"),
        ("rest", {"tired_after": 999.0}, "rest.tired_after"),
        ("rest", {"rouse_salience": 0.0}, "rest.rouse_salience"),
        ("energy", {"rates": {}}, "energy.rates must name every state; missing: WAKE, FOCUS, REST, DREAM, CRISIS"),
    ],
)
def test_what_cannot_be_meant_together_is_named(part: str, change: dict[str, object], named: str):
    changed = msgspec.structs.replace(getattr(CONFIG, part), **change)
    found = misordered(msgspec.structs.replace(CONFIG, **{part: changed}))
    assert any(named in message for message in found), found


def test_every_state_has_its_dwell_time():
    assert {state: CONFIG.dwell(state) for state in Metabolic} == {
        Metabolic.WAKE: 5.0,
        Metabolic.FOCUS: 15.0,
        Metabolic.REST: 10.0,
        Metabolic.DREAM: 30.0,
        Metabolic.CRISIS: 20.0,
    }
