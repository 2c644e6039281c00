import pytest

from nodes.metabolic_controller import senses
from nodes.metabolic_controller.config import MetabolismConfig
from nodes.metabolic_controller.senses import Senses
from protocol.messages.metabolism import Metabolic
from runtime import config as files
from runtime import paths

CONFIG = files.load(paths.shipped("configs/metabolism.yaml"), MetabolismConfig)


def read(state: Senses, now_s: float):
    return senses.read(senses.forget(state, now_s, CONFIG), 50.0, now_s, CONFIG)


def test_quiet_grows_from_the_last_stir():
    assert read(Senses(stirred_s=10.0), 70.0).quiet_s == 60.0
    assert read(senses.noticed(Senses(stirred_s=10.0), 0.1, 65.0, CONFIG.senses), 70.0).quiet_s == 5.0


def test_it_is_not_quiet_while_somebody_speaks_and_again_afterwards():
    speaking = senses.speech(Senses(stirred_s=0.0), True, 10.0)
    assert (read(speaking, 30.0).speech, read(speaking, 30.0).quiet_s) == (True, 0.0)
    silent = senses.speech(speaking, False, 31.0)
    assert (read(silent, 40.0).speech, read(silent, 40.0).quiet_s) == (False, 9.0)


def test_speech_that_nobody_ended_is_taken_as_ended():
    assert read(senses.speech(Senses(stirred_s=0.0), True, 10.0), 70.0).speech is False


def test_somebody_waits_from_start_to_completion_of_an_exchange():
    asked = senses.started(senses.started(Senses(stirred_s=0.0), "a", 1.0), "b", 2.0)
    assert read(asked, 5.0).waiting == 2
    assert read(senses.completed(asked, "a", False, 5.0), 5.0).waiting == 1
    assert read(asked, 1000.0).waiting == 0, "an exchange that nobody completed keeps nobody awake for ever"


def test_only_recent_failures_count():
    failed = senses.completed(senses.completed(Senses(stirred_s=0.0), "a", True, 10.0), "b", True, 50.0)
    assert read(failed, 60.0).errors == 2
    assert read(failed, 195.0).errors == 1
    assert read(failed, 240.0).errors == 0


def test_failures_are_remembered_in_bounded_memory():
    failing = Senses(stirred_s=0.0)
    for number in range(1000):
        failing = senses.completed(failing, str(number), True, 0.0)
    assert len(failing.errors) == senses.ERRORS_KEPT


def test_salience_fades_and_the_greater_stands():
    loud = senses.noticed(Senses(stirred_s=0.0), 0.8, 0.0, CONFIG.senses)
    assert read(loud, 60.0).salience == pytest.approx(0.4)
    assert read(senses.noticed(loud, 0.1, 60.0, CONFIG.senses), 60.0).salience == pytest.approx(0.4)
    assert read(senses.noticed(loud, 0.9, 60.0, CONFIG.senses), 60.0).salience == 0.9


def test_a_wish_binds_for_its_time():
    asked = senses.wished(Senses(stirred_s=0.0), Metabolic.FOCUS, 0.0)
    assert read(asked, 599.0).request is Metabolic.FOCUS
    assert read(asked, 600.0).request is None


def test_a_wish_for_sleep_ends_with_the_sleep_it_asked_for():
    asked = senses.wished(Senses(stirred_s=0.0), Metabolic.DREAM, 0.0)
    assert senses.release(asked, Metabolic.WAKE, Metabolic.DREAM) is asked
    assert senses.release(asked, Metabolic.DREAM, Metabolic.WAKE).wish is None
    held = senses.wished(asked, Metabolic.FOCUS, 0.0)
    assert senses.release(held, Metabolic.WAKE, Metabolic.CRISIS) is held


def test_an_exchange_whose_end_was_heard_before_its_start_keeps_nobody_awake():
    ended = senses.completed(Senses(stirred_s=0.0), "a", False, 1.0)
    assert read(senses.started(ended, "a", 1.0), 2.0).waiting == 0


def test_a_restart_forgets_no_failure_no_wish_and_nothing_salient():
    sensed = senses.wished(senses.completed(Senses(stirred_s=0.0), "a", True, 80.0), Metabolic.REST, 90.0)
    sensed = senses.noticed(sensed, 0.8, 95.0, CONFIG.senses)
    known = senses.remember(sensed, 100.0, 1_000 * 10**9)
    later = senses.recall(known, 5, 7.0, 1_010 * 10**9)
    inputs = read(later, 7.0)
    assert (inputs.errors, inputs.request, inputs.lessons) == (1, Metabolic.REST, 5)
    assert later.errors == (7.0 - 30.0,)
    assert inputs.salience == pytest.approx(senses.faded(sensed, 110.0, CONFIG.senses))


def test_what_a_clock_that_was_put_back_calls_the_future_is_taken_for_now():
    known = senses.remember(senses.wished(Senses(stirred_s=0.0), Metabolic.DREAM, 0.0), 0.0, 9_000 * 10**9)
    assert senses.recall(known, 0, 50.0, 1_000 * 10**9).wish.since_s == 50.0


def test_a_salience_beyond_its_bounds_counts_as_the_bound():
    for wild, taken in ((float("inf"), 1.0), (7.0, 1.0), (-3.0, 0.0)):
        assert senses.noticed(Senses(stirred_s=0.0), wild, 1.0, CONFIG.senses).salience == taken
