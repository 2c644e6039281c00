"""The life of a child in virtual time."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.launch.spec import Backoff, Intensity
from runtime.supervisor.child import (
    ALIVE,
    EXIT_CONFIG,
    Child,
    Due,
    Event,
    Exited,
    Kill,
    NotSpawned,
    Restart,
    Said,
    Spawned,
    Start,
    Stop,
    describe_exit,
    forgiven,
    step,
)
from tests.unit.supervisor.lives import PID, Life, process

# -- starting -------------------------------------------------------------------------------------------------------


def test_it_waits_until_it_is_told_to_start() -> None:
    assert Life().passes(1000).phase == "waiting"


def test_it_is_ready_when_it_says_so() -> None:
    life = Life().happens(Start())
    assert (life.phase, life.child.pid, life.actions) == ("starting", PID, ["spawn"])
    assert life.passes(29).says(READY="1", STATUS="all here").phase == "ready"
    assert life.child.status == "all here"


def test_a_program_that_does_not_notify_is_ready_once_it_runs_and_is_not_watched() -> None:
    life = Life(notify=False, liveness=None).happens(Start())
    assert (life.phase, life.passes(10_000).phase) == ("ready", "ready")


def test_one_that_is_not_ready_in_time_shows_where_it_hangs_and_is_killed_if_it_cannot() -> None:
    life = Life().happens(Start()).passes(31.5)
    assert life.done[1:] == [(30.0, "abort"), (31.0, "kill")]
    life.fails(-9)
    assert (life.phase, life.child.reason) == ("backoff", "not ready within 30s")


def test_one_that_loads_long_may_ask_for_more_time() -> None:
    life = Life().happens(Start()).passes(20).says(EXTEND_TIMEOUT_USEC="60000000").passes(59)
    assert life.phase == "starting"
    assert life.passes(1).phase == "stopping"


def test_beats_do_not_prolong_the_start() -> None:
    life = Life().happens(Start())
    for _ in range(40):
        life.says(WATCHDOG="1").passes(1)
    assert life.child.reason == "not ready within 30s"


def test_one_that_cannot_be_run_has_failed_for_good() -> None:
    life = Life().happens(Start(), NotSpawned("cannot run 'nope'"))
    assert (life.phase, life.child.reason, life.child.deadline) == ("failed", "cannot run 'nope'", None)


def test_one_that_ends_before_it_was_ready_has_failed_even_with_exit_code_0() -> None:
    life = Life().happens(Start()).fails(0)
    assert (life.phase, life.child.reason) == ("backoff", "exited with 0 before it was ready")


def test_one_that_refuses_its_parameters_is_not_asked_again() -> None:
    assert Life(restart="always").happens(Start()).fails(EXIT_CONFIG).phase == "failed"


# -- living ---------------------------------------------------------------------------------------------------------


def test_it_lives_as_long_as_it_beats() -> None:
    life = Life().ready()
    for _ in range(100):
        life.passes(9).says(WATCHDOG="1")
    assert life.phase == "ready"


def test_silence_is_death() -> None:
    life = Life().ready().passes(9.9).says(STATUS="words are no beat").passes(0.2)
    assert (life.phase, life.done[-1]) == ("stopping", (10.0, "abort"))
    life.passes(1)
    assert life.done[-1] == (11.0, "kill")
    life.fails(-9)
    assert (life.phase, life.child.reason) == ("backoff", "gave no sign of life for 10s")


def test_without_liveness_silence_is_nothing() -> None:
    assert Life(liveness=None).ready().passes(1e6).phase == "ready"


def test_degraded_and_recovered() -> None:
    life = Life().ready().says(X_SAGE_STATE="degraded", STATUS="no microphone")
    assert (life.phase, life.child.status) == ("degraded", "no microphone")
    assert life.says(X_SAGE_STATE="ready", STATUS="found one").phase == "ready"


def test_degraded_from_the_start_is_up() -> None:
    assert Life().happens(Start()).says(READY="1", X_SAGE_STATE="degraded").phase == "degraded"


def test_changing_between_ready_and_degraded_is_no_beat() -> None:
    life = Life().ready().passes(9).says(X_SAGE_STATE="degraded").passes(1)
    assert life.phase == "stopping"


def test_while_the_supervisor_stood_still_no_deadline_passed() -> None:
    life = Life().ready()
    life.now = 105.0
    life.child = forgiven(life.child, life.now, lost=100.0)
    assert life.passes(9).phase == "ready"
    assert life.passes(1).phase == "stopping"


def test_a_start_is_given_what_was_lost() -> None:
    life = Life().happens(Start())
    life.now = 120.0
    life.child = forgiven(life.child, life.now, lost=100.0)
    assert life.passes(9).phase == "starting"
    assert life.passes(1).phase == "stopping"


# -- failing and restarting -----------------------------------------------------------------------------------------


def test_restarts_wait_longer_each_time_up_to_the_cap() -> None:
    life = Life(intensity=Intensity(restarts=5, within=1000.0)).ready()
    waits = []
    for _ in range(5):
        life.fails()
        assert life.child.deadline is not None
        waits.append(life.child.deadline - life.now)
        life.passes(waits[-1]).says(READY="1")
    assert waits == [1.0, 2.0, 4.0, 5.0, 5.0]


@pytest.mark.parametrize(("chance", "wait"), [(0.0, 0.8), (0.5, 1.0), (1.0, 1.2)])
def test_jitter_spreads_restarts(chance: float, wait: float) -> None:
    life = Life(chance=chance, backoff=Backoff(first=1.0, jitter=0.2)).ready().fails()
    assert life.child.deadline == pytest.approx(wait)


def test_too_many_restarts_within_the_window_are_a_failure_for_good() -> None:
    life = Life().ready()
    for _ in range(3):
        life.fails(-11).passes(6).says(READY="1")
    life.fails(-11)
    assert life.phase == "failed"
    assert life.child.reason == "was killed by SIGSEGV; given up after 3 restarts within 1m"
    assert life.child.total_restarts == 3


def test_restarts_long_ago_do_not_count() -> None:
    life = Life().ready()
    for _ in range(50):
        life.fails()
        for _ in range(10):
            life.passes(6).says(READY="1", WATCHDOG="1")
    assert (life.phase, life.child.total_restarts) == ("ready", 50)


@pytest.mark.parametrize(
    ("restart", "status", "phase"),
    [
        ("never", 1, "failed"),
        ("never", 0, "stopped"),
        ("on-failure", 1, "backoff"),
        ("on-failure", -9, "backoff"),
        ("on-failure", 0, "stopped"),
        ("always", 0, "backoff"),
        ("always", 1, "backoff"),
    ],
)
def test_what_follows_an_end_is_policy(restart: str, status: int, phase: str) -> None:
    assert Life(restart=restart).ready().fails(status).phase == phase


def test_one_that_announces_its_end_and_ends_well_is_finished() -> None:
    life = Life().ready().says(STOPPING="1").fails(0)
    assert (life.phase, life.child.reason) == ("stopped", "finished")


def test_one_that_announces_its_end_and_hangs_is_killed() -> None:
    assert Life().ready().says(STOPPING="1").passes(3).actions == ["spawn", "kill"]


# -- stopping -------------------------------------------------------------------------------------------------------


def test_stopping_is_asked_for_first_and_enforced_after_the_grace() -> None:
    life = Life().ready().happens(Stop()).passes(4)
    assert life.done[1:] == [(0.0, "terminate"), (3.0, "kill")]
    assert life.fails(-9).phase == "stopped"


def test_one_that_needs_longer_to_stop_may_say_so() -> None:
    life = Life().ready().happens(Stop()).says(EXTEND_TIMEOUT_USEC="8000000").passes(7)
    assert life.actions == ["spawn", "terminate"]


def test_a_stop_during_backoff_leaves_nothing_that_could_start() -> None:
    life = Life().ready().fails().happens(Stop()).passes(1000)
    assert (life.phase, life.actions) == ("stopped", ["spawn"])


def test_a_stop_beats_a_restart_that_was_asked_for() -> None:
    life = Life().ready().happens(Restart(), Stop()).fails(0)
    assert (life.phase, life.actions) == ("stopped", ["spawn", "terminate"])


def test_a_stop_that_meets_a_crash_does_not_restart() -> None:
    assert Life(restart="always").ready().happens(Stop()).fails(-11).phase == "stopped"


def test_kill_asks_nobody() -> None:
    life = Life().ready().happens(Stop(), Kill())
    assert life.actions == ["spawn", "terminate", "kill"]
    assert life.fails(-9).phase == "stopped"


# -- wishes ---------------------------------------------------------------------------------------------------------


def test_a_restart_stops_in_order_and_starts_at_once() -> None:
    life = Life().ready().happens(Restart()).passes(1).fails(0)
    assert (life.phase, life.done[1:]) == ("starting", [(0.0, "terminate"), (1.0, "spawn")])
    assert life.child.total_restarts == 0


@pytest.mark.parametrize("end", [[Exited(1), Stop()], [Exited(EXIT_CONFIG)]])
def test_a_start_revives_what_was_stopped_or_failed_with_a_clean_slate(end: list[Event]) -> None:
    life = Life().ready().happens(*end, Start())
    assert (life.phase, life.child.restarts, life.child.wanted) == ("starting", (), True)


def test_a_start_does_not_wait_for_the_backoff() -> None:
    assert Life().ready().fails().happens(Start()).phase == "starting"


def test_a_start_while_stopping_takes_effect_once_it_has_stopped() -> None:
    life = Life().ready().happens(Stop(), Start())
    assert life.phase == "stopping"
    assert life.fails(0).phase == "starting"


# -- everything -----------------------------------------------------------------------------------------------------

EVENTS = st.one_of(
    st.sampled_from([Start(), Due(), Stop(), Restart(), Kill(), NotSpawned("no")]),
    st.builds(Exited, st.sampled_from([0, 1, 2, -9, -11])),
    st.builds(
        Said,
        st.dictionaries(
            st.sampled_from(["READY", "WATCHDOG", "STOPPING", "X_SAGE_STATE", "EXTEND_TIMEOUT_USEC", "STATUS"]),
            st.sampled_from(["1", "ready", "degraded", "99999999999999999999", "", "-1"]),
        ),
    ),
)


@given(st.lists(st.tuples(EVENTS, st.floats(min_value=0, max_value=50)), max_size=40), st.booleans())
def test_whatever_happens_there_is_one_process_and_a_way_on(history: list[tuple[Event, float]], notify: bool) -> None:
    child, now, running = Child(process=process(notify=notify)), 0.0, False
    for event, seconds in history:
        now += seconds
        if isinstance(event, Exited) and not running:
            continue
        if isinstance(event, (Spawned, NotSpawned)):
            continue
        running = running and not isinstance(event, Exited)
        child, actions = step(child, event, now, 0.5)
        assert not ("spawn" in actions and running)
        assert running or not set(actions) - {"spawn"}
        if "spawn" in actions:
            running = True
            child, _ = step(child, Spawned(PID), now, 0.5)
        assert (child.phase in ALIVE) == running == (child.pid is not None)
        # A child between states always has a deadline that leads out of them, or has been killed.
        if child.phase in ("starting", "backoff"):
            assert child.deadline is not None
    for _ in range(3):  # and it can always be ended
        child, actions = step(child, Kill(), now, 0.5)
        if running:
            assert "kill" in actions
            child, _ = step(child, Exited(-9), now, 0.5)
            running = False
    assert child.phase in ("stopped", "failed")


def test_how_it_ended_is_said_in_words() -> None:
    assert describe_exit(3) == "exited with 3"
    assert describe_exit(-9) == "was killed by SIGKILL"
    assert describe_exit(-99) == "was killed by signal 99"
