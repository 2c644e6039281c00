"""What is said to lead elsewhere does, and nothing shorter would."""

import msgspec
import pytest

from nodes.metabolic_controller import explain
from nodes.metabolic_controller.body import Strain
from nodes.metabolic_controller.config import MetabolismConfig
from nodes.metabolic_controller.machine import Inputs
from protocol.messages.metabolism import Metabolic
from runtime import config as files
from runtime import paths

CONFIG = files.load(paths.shipped("configs/metabolism.yaml"), MetabolismConfig)
WAKE, FOCUS, REST, DREAM, CRISIS = Metabolic


def ways(state: Metabolic, **sensed: object) -> dict[Metabolic, list[str]]:
    return {way.state: way.needs for way in explain.ways(state, Inputs(**{"atp": 80.0, **sensed}), CONFIG)}


def test_from_wake_each_state_has_its_shortest_way():
    assert ways(WAKE, quiet_s=40.0, salience=0.1) == {
        REST: ["quiet of 3m or more (now 40s)"],
        FOCUS: ["salience of 0.70 or more (now 0.10)"],
        CRISIS: ["failed exchanges of 3 or more (now 0)"],
        DREAM: ["an operator asks for DREAM"],
    }


def test_two_things_are_told_together_where_both_are_needed():
    assert ways(REST, quiet_s=40.0)[DREAM] == ["quiet of 5m or more (now 40s)", "lessons of 8 or more (now 0)"]
    assert ways(WAKE, salience=0.9, quiet_s=0.0, strain=Strain.MUCH)[FOCUS] == [
        "the machine is strained: none (now much)"
    ]


def test_what_must_become_less_is_told_so():
    assert ways(FOCUS, salience=0.8)[WAKE] == ["quiet of 90s or more (now 0s)"]
    assert ways(CRISIS, errors=5)[WAKE] == ["failed exchanges below 1 (now 5)"]


def test_a_sleeper_needs_no_more_than_a_word():
    assert ways(DREAM, quiet_s=4000.0, lessons=9)[WAKE] == ["salience of 0.60 or more (now 0.00)"]
    assert ways(REST, quiet_s=4000.0, lessons=9, hour=3.0)[WAKE] == ["salience of 0.80 or more (now 0.00)"]


@pytest.mark.parametrize("state", list(Metabolic))
def test_a_state_that_will_follow_anyway_needs_nothing_more(state: Metabolic):
    if state is WAKE:
        assert ways(WAKE, quiet_s=4000.0)[REST] == []
    told = explain.ways(state, Inputs(atp=80.0, request=CRISIS), CONFIG)
    assert state is CRISIS or next(way for way in told if way.state is CRISIS).needs == []


def test_every_input_of_the_machine_can_be_varied():
    from nodes.metabolic_controller.regions import grid

    varied = explain._alternatives(Inputs(atp=80.0), grid(CONFIG, 12.0), CONFIG, by_operator=True)
    assert set(varied) == {field.name for field in msgspec.structs.fields(Inputs)} - {"strained_by"}
