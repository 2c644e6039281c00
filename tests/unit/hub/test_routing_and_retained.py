from protocol import codec
from protocol.messages.metabolism import Energy
from protocol.messages.trust import TrustTable
from protocol.topics import TOPICS
from runtime.bus.publisher import Publisher
from runtime.clock import VirtualClock
from runtime.hub.retained import RetainedValues
from runtime.hub.routing import Calls, Route


def route(caller=b"a", callee=b"b", deadline_ns=10):
    return Route(caller, callee, "node", "service", deadline_ns)


def test_only_the_callee_may_answer_and_only_the_caller_may_steer():
    calls = Calls()
    assert calls.open(b"1", route())
    assert not calls.open(b"1", route(caller=b"z"))
    assert calls.answered_by(b"1", b"b") == route()
    assert calls.answered_by(b"1", b"a") is None
    assert calls.steered_by(b"1", b"a") == route()
    assert calls.steered_by(b"1", b"b") is None


def test_calls_leave_with_a_peer_or_at_their_deadline():
    calls = Calls()
    calls.open(b"1", route())
    calls.open(b"2", route(caller=b"c", callee=b"a"))
    calls.open(b"3", route(caller=b"c", callee=b"d", deadline_ns=99))
    assert [ident for ident, _ in calls.close_with(b"a")] == [b"1", b"2"]
    assert calls.close_expired(50) == []
    assert [ident for ident, _ in calls.close_expired(100)] == [b"3"]
    assert len(calls) == 0


def said(publisher, body):
    _, frame = publisher.event(body, b"")
    return codec.decode(frame), frame


def energy(atp):
    return Energy(atp=atp, capacity=100, income=0, spent={})


def test_the_newest_value_of_each_topic_and_source_is_kept():
    clock = VirtualClock()
    publisher = Publisher(source="heart", host="desk", clock=clock, topics=TOPICS)
    other = Publisher(source="ledger", host="desk", clock=clock, topics=TOPICS)
    old, new = said(publisher, energy(1)), said(publisher, energy(2))
    values = RetainedValues()
    assert values.put(*new)
    assert not values.put(*old)
    values.put(*said(other, TrustTable(entries=0, rows=[])))
    assert [one.frame for one in values.under(["metabolic/energy"])] == [new[1]]
    assert [one.topic for one in values.under([""])] == ["metabolic/energy", "trust/table"]
    assert values.under(["metabolic/energ"]) == []
    assert [one.topic for one in values.under(["metabolic/"])] == ["metabolic/energy"]


def test_a_reborn_source_replaces_what_it_said_before_its_death():
    clock = VirtualClock()
    before = Publisher(source="heart", host="desk", clock=clock, topics=TOPICS)
    said(before, energy(1))
    old = said(before, energy(2))
    clock.advance(1)
    new = said(Publisher(source="heart", host="desk", clock=clock, topics=TOPICS), energy(3))
    values = RetainedValues()
    values.put(*old)
    assert values.put(*new)
    assert values.stats()["superseded"] == 0
