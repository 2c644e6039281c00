"""What holds for any input, any valid configuration and any day."""

import random

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nodes.metabolic_controller import energy, senses
from nodes.metabolic_controller.body import Strain
from nodes.metabolic_controller.config import LOUD, MetabolismConfig, Rate, misordered
from nodes.metabolic_controller.explore import explore
from nodes.metabolic_controller.machine import ASLEEP, Inputs, step
from nodes.metabolic_controller.regions import representative
from protocol.messages.metabolism import Metabolic, Settle
from runtime import config as files
from runtime import paths

CONFIG = files.load(paths.shipped("configs/metabolism.yaml"), MetabolismConfig)

INPUTS = st.builds(
    Inputs,
    atp=st.floats(-25, 100),
    salience=st.floats(0, 1),
    quiet_s=st.floats(0, 1e5),
    errors=st.integers(0, 20),
    waiting=st.integers(0, 5),
    speech=st.booleans(),
    request=st.none() | st.sampled_from(Metabolic),
    lessons=st.integers(0, 100),
    hour=st.floats(0, 24),
    strain=st.sampled_from(Strain),
)


@given(state=st.sampled_from(Metabolic), inputs=INPUTS, elapsed=st.floats(0, 1e5))
@settings(max_examples=500)
def test_an_input_is_decided_like_the_representative_of_its_region(
    state: Metabolic, inputs: Inputs, elapsed: float
) -> None:
    """This is what makes the search of the regions a search of everything."""
    dwell = CONFIG.dwell(state)
    regular = step(state, representative(inputs, CONFIG), dwell if elapsed >= dwell else 0.0, CONFIG)
    assert step(state, inputs, elapsed, CONFIG).state is regular.state


@st.composite
def configurations(draw: st.DrawFn) -> MetabolismConfig:
    """Any values that keep the local rules."""

    def ordered(values: st.SearchStrategy[float]) -> list[float]:
        return sorted(draw(st.lists(values, min_size=2, max_size=2, unique=True)))

    def changed(part: str, **values: object) -> object:
        return msgspec.structs.replace(getattr(CONFIG, part), **values)

    share, atp, seconds = st.floats(0, 1), st.floats(0, 100), st.floats(0, 5000)
    salience, focus_atp, dream_atp = ordered(share), ordered(atp), ordered(atp)
    tired_after, rest_by_night, first, second, dream_after = sorted(draw(st.tuples(*[seconds] * 5)))
    rest_after, dream_by_night = draw(st.sampled_from([(first, second), (second, first)]))
    rouse, rouse_by_night = sorted(draw(st.tuples(*[st.floats(0.01, LOUD)] * 2)))
    least_errors, most_errors = sorted(draw(st.tuples(st.integers(1, 9), st.integers(1, 9))))
    rates = {state: Rate(income=draw(st.floats(0, 20)), base=draw(st.floats(0, 20))) for state in Metabolic}
    rates[Metabolic.REST] = Rate(income=draw(st.floats(1, 20)), base=draw(st.floats(0, 0.5)))
    rates[Metabolic.DREAM] = Rate(income=draw(st.floats(0, 1)), base=draw(st.floats(1.1, 20)))
    return msgspec.structs.replace(
        CONFIG,
        focus=changed(
            "focus",
            leave_salience=salience[0],
            enter_salience=salience[1],
            leave_atp=focus_atp[0],
            enter_atp=focus_atp[1],
            quiet=draw(st.floats(1, 5000)),
            dwell=draw(seconds),
        ),
        rest=changed(
            "rest",
            after=rest_after,
            tired_after=tired_after,
            tired_atp=draw(st.floats(0, 120)),
            rouse_salience=rouse,
        ),
        night=changed(
            "night",
            begins=draw(st.floats(0, 24)),
            ends=draw(st.floats(0, 24)),
            rest_after=rest_by_night,
            dream_after=dream_by_night,
            rouse_salience=rouse_by_night,
        ),
        dream=changed("dream", after=dream_after, leave_atp=dream_atp[0], enter_atp=dream_atp[1]),
        crisis=changed("crisis", enter_errors=most_errors, leave_errors=least_errors),
        energy=changed("energy", rates=rates),
    )


@given(config=configurations())
@settings(max_examples=3, deadline=None)
def test_a_configuration_that_passes_the_local_rules_makes_a_sound_machine(config: MetabolismConfig) -> None:
    assert misordered(config) == []
    assert explore(config).violations == ()


@pytest.mark.slow
@given(config=configurations())
@settings(max_examples=200, deadline=None)
def test_many_configurations_that_pass_the_local_rules_make_sound_machines(config: MetabolismConfig) -> None:
    assert explore(config).violations == ()


@given(seed=st.integers(0, 2**32), mute=st.booleans())
@settings(max_examples=10, deadline=None)
def test_a_day_of_bursts_and_silence_keeps_the_promises(seed: int, mute: bool) -> None:
    """Virtual time, one-second steps: dwell times kept, sleepers roused at once, the books balanced."""
    chance = random.Random(seed)
    account = energy.open_account(CONFIG.energy, 0.0)
    sensed = senses.Senses(stirred_s=0.0)
    state, since = Metabolic.WAKE, 0.0
    for second in range(1, 4 * 3600):
        now = float(second)
        busy = not mute and (second // 1800) % 2 == 0
        if busy and chance.random() < 0.02:
            sensed = senses.started(senses.noticed(sensed, chance.random(), now, CONFIG.senses), str(second), now)
        elif sensed.waiting and chance.random() < 0.3:
            done = next(iter(sensed.waiting))
            sensed = senses.completed(sensed, done, chance.random() < 0.02, now)
            account = energy.settle(
                account, Settle(ident=done, cpu_s=chance.expovariate(0.3)), None, CONFIG.energy
            ).account
            sensed = senses.learned(sensed, sensed.lessons + 1)
        account = energy.elapse(account, state, now, CONFIG.energy)
        sensed = senses.forget(sensed, now, CONFIG)
        inputs = senses.read(sensed, account.atp, now, CONFIG)
        after = step(state, inputs, now - since, CONFIG).state
        assert not (inputs.waiting and after in ASLEEP)
        if after is not state:
            forced = after is Metabolic.CRISIS or state in ASLEEP
            assert forced or now - since >= CONFIG.dwell(state)
            state, since = after, now
        assert -CONFIG.energy.overdraft <= account.atp <= CONFIG.energy.capacity
    if mute:
        assert (state, account.atp) == (Metabolic.REST, 100.0), (
            "nothing happened, so nothing is owed and nobody is awake"
        )
