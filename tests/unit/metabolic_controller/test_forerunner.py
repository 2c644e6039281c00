"""What an earlier machine got wrong is impossible here: each defect by its name, in virtual time."""

import pytest

from nodes.metabolic_controller import energy, senses
from nodes.metabolic_controller.config import MetabolismConfig
from nodes.metabolic_controller.metabolism import Metabolism, Standing
from nodes.metabolic_controller.senses import Senses
from protocol.messages.metabolism import Metabolic, Settle
from runtime import config as files
from runtime import paths

CONFIG = files.load(paths.shipped("configs/metabolism.yaml"), MetabolismConfig)
WAKE, FOCUS, REST, DREAM, CRISIS = Metabolic


def whole(state: Metabolic, atp: float, hour: float = 12.0, **sensed: object) -> Metabolism:
    standing = Standing(state=state, number=1, reason="test", since_s=0.0)
    return Metabolism(CONFIG, standing, energy.holding(atp), Senses(stirred_s=0.0, **sensed), hour=lambda _now_s: hour)


def lived(made: Metabolism, seconds: int, began: int = 0) -> list[Metabolic]:
    """States entered while nobody stirs."""
    entered = [made.advance(float(now)) for now in range(began + 1, began + seconds + 1)]
    return [standing.state for standing in entered if standing]


def test_focus_that_everybody_has_left_comes_to_rest():
    assert lived(whole(FOCUS, 100.0, salience=0.9, salience_s=0.0), 3600) == [WAKE, REST]


@pytest.mark.parametrize("hour", [0.0, 6.0, 12.0, 18.0])
def test_a_dream_ends_at_any_hour_by_its_energy_alone(hour: float):
    dreaming = whole(DREAM, 60.0, hour, lessons=1000)
    assert lived(dreaming, 12 * 3600)[0] is REST
    assert dreaming.account.atp <= 100.0


@pytest.mark.parametrize("state", list(Metabolic))
def test_without_any_energy_every_state_recovers(state: Metabolic):
    empty = whole(state, 0.0)
    lived(empty, 3600)
    assert empty.standing.state is REST
    assert empty.account.atp == 100.0


@pytest.mark.parametrize("hour", [3.0, 12.0])
@pytest.mark.parametrize("state", [REST, DREAM])
def test_a_sleeper_hears_what_is_salient(state: Metabolic, hour: float):
    sleeping = whole(state, 100.0, hour, lessons=1000)
    sleeping.sensed = senses.noticed(sleeping.sensed, 0.9, 1.0, CONFIG.senses)
    assert sleeping.advance(1.0).state is WAKE


@pytest.mark.parametrize("hour", [3.0, 12.0])
def test_left_alone_it_does_not_flap(hour: float):
    """3,000 cycles of a second brought the earlier machine 132 to 221 transitions."""
    assert len(lived(whole(WAKE, 50.0, hour, lessons=8), 3000)) <= 3


def test_under_load_everybody_is_answered():
    """A question every two seconds for an hour, each of half a minute of a processor: it is poor, and serves all."""
    busy = whole(WAKE, 100.0)
    for now in range(1, 3600, 2):
        busy.sensed = senses.started(busy.sensed, str(now), float(now))
        busy.advance(float(now))
        assert busy.config.policy[busy.standing.state].answer != "nobody"
        settlement = busy.settle(Settle(ident=str(now), cpu_s=30.0), None, float(now))
        busy.settled(settlement)
        busy.sensed = senses.completed(busy.sensed, str(now), False, now + 1.0)
        busy.advance(now + 1.0)
    assert busy.account.atp == pytest.approx(-CONFIG.energy.overdraft, abs=0.1)
