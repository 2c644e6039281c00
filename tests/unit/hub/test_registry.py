import pytest

from protocol.errors import NameTaken
from protocol.messages.hub import Register
from protocol.messages.node import Health, NodeState
from runtime.hub.registry import Members

S = 1_000_000_000


def register(members, name="ear", *, pid=10, epoch=1, at=0, **fields):
    return members.register(
        Register(name=name, pid=pid, epoch=epoch, **fields), b"route", mono_ns=at * S, wall_ns=at * S
    )


def beat(members, state=NodeState.READY, *, at=0, name="ear", reason=""):
    members.beat(name, Health(state=state, reason=reason), mono_ns=at * S, wall_ns=at * S)


def overdue(members, at):
    return [one.register.name for one in members.overdue(mono_ns=at * S, wall_ns=at * S)]


def test_a_node_that_is_silent_past_its_liveness_is_lost_once_and_comes_back_with_its_heartbeat():
    members = Members()
    register(members)
    beat(members, at=1)
    assert overdue(members, 6) == []
    assert overdue(members, 7) == ["ear"]
    assert overdue(members, 8) == []
    assert not members.by_name["ear"].reachable
    beat(members, at=9)
    assert members.by_name["ear"].state == NodeState.READY


def test_a_loading_node_has_its_start_deadline_not_its_liveness():
    members = Members()
    register(members, start_s=60)
    assert overdue(members, 59) == []
    assert overdue(members, 61) == ["ear"]


def test_a_name_is_taken_while_its_process_lives_and_free_when_it_died():
    members = Members()
    register(members)
    with pytest.raises(NameTaken, match="process 10"):
        register(members, pid=11, epoch=2)
    assert members.exited("ear", 1, wall_ns=5)
    register(members, pid=11, epoch=2)
    assert members.by_name["ear"].register.pid == 11


def test_the_death_of_a_replaced_process_changes_nothing():
    members = Members()
    register(members)
    members.exited("ear", 1, wall_ns=5)
    register(members, pid=11, epoch=2)
    assert not members.exited("ear", 1, wall_ns=6)
    assert members.by_name["ear"].reachable


@pytest.mark.parametrize(
    ("said", "state"), [(NodeState.STOPPING, NodeState.STOPPED), (NodeState.READY, NodeState.FAILED)]
)
def test_how_a_process_ended_depends_on_what_it_had_said(said, state):
    members = Members()
    register(members)
    beat(members, said)
    members.exited("ear", 1, wall_ns=5)
    assert members.by_name["ear"].state == state


def test_what_a_node_failed_of_is_not_overwritten_by_the_end_of_its_process():
    members = Members()
    register(members)
    beat(members, NodeState.FAILED, reason="no microphone")
    assert members.exited("ear", 1, wall_ns=5)
    assert (members.by_name["ear"].state, members.by_name["ear"].reason) == (NodeState.FAILED, "no microphone")


def test_registering_again_after_the_hub_came_back_keeps_the_state():
    members = Members()
    register(members)
    beat(members, NodeState.DEGRADED, reason="no microphone")
    register(members)
    assert (members.by_name["ear"].state, members.by_name["ear"].reason) == (NodeState.DEGRADED, "no microphone")


def test_heartbeats_that_say_nothing_new_are_no_change():
    members = Members()
    register(members)
    beat(members, at=1)
    before = members.changes
    beat(members, at=2)
    assert members.changes == before


def test_a_wrong_name_gets_a_suggestion():
    members = Members()
    register(members, "trust_ledger")
    assert members.similar("trust_leger") == "did you mean 'trust_ledger'?"
    assert members.similar("x") == "here are: trust_ledger"


def test_a_process_that_cannot_be_watched_holds_its_name_only_as_long_as_it_beats():
    """It died before it was watched, or lives in another pid namespace: no word of its end will come."""
    members = Members()
    register(members, start_s=60).watched = False
    with pytest.raises(NameTaken):
        register(members, pid=11, epoch=2)
    assert overdue(members, 6) == ["ear"]
    register(members, pid=11, epoch=2)
    assert members.by_name["ear"].reachable


def test_a_heartbeat_read_after_the_death_of_its_process_revives_nobody():
    members = Members()
    register(members)
    beat(members)
    members.exited("ear", 1, wall_ns=5)
    beat(members)
    assert members.by_name["ear"].state == NodeState.FAILED


def test_last_words_read_after_the_end_of_their_process_still_say_how_it_ended():
    members = Members()
    register(members)
    beat(members)
    members.exited("ear", 1, wall_ns=5)
    beat(members, NodeState.FAILED, reason="no microphone")
    assert members.by_name["ear"].reason == "no microphone"
    beat(members, NodeState.STOPPING)
    assert members.by_name["ear"].state == NodeState.STOPPED
