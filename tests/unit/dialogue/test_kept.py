"""Conversations and traces at rest: bounded, sealed, forgotten when asked."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from nodes.dialogue.conversation import Conversation, ConversationLimits, extended
from nodes.dialogue.conversations import Conversations
from nodes.dialogue.store import Store
from nodes.dialogue.traces import Traces, spoken
from protocol.messages.audio import Stage
from protocol.messages.dialogue import TraceReply
from protocol.messages.speech import Spoken
from tests.unit.dialogue.stores import open_store

SAID = extended(Conversation(), "where is the secret cup", "in the hall", "sensory", ConversationLimits())


@pytest.fixture
def store(tmp_path: Path):
    with closing(open_store(tmp_path)) as made:
        yield made


def trace(number: int) -> TraceReply:
    stage = Stage(name="classify", node="dialogue", start_ns=5, seconds=0.1)
    ident = f"{number:02d}ab"
    return TraceReply(
        exchange=f"ee{ident}",
        trace=bytes.fromhex(f"ff{ident}"),
        question="where is the secret cup",
        answered_by="sensory",
        stages=[stage],
    )


def test_a_conversation_comes_back_and_others_are_empty(store: Store) -> None:
    conversations = Conversations(store, 10)
    conversations.put("s", SAID, 1)
    assert conversations.get("s") == SAID
    assert conversations.get("t") == Conversation()


def test_the_conversation_not_spoken_in_for_longest_goes_first(store: Store) -> None:
    conversations = Conversations(store, 2)
    for at, session in enumerate(["a", "b", "a", "c"]):
        conversations.put(session, SAID, at)
    assert [bool(conversations.get(session).messages) for session in "abc"] == [True, False, True]
    assert conversations.stats()["kept"] == 2


def test_after_the_clock_was_set_back_the_conversation_spoken_in_last_still_stays(store: Store) -> None:
    conversations = Conversations(store, 2)
    for at, session in ((10**18, "a"), (10**18, "b"), (5, "c"), (6, "d")):
        conversations.put(session, SAID, at)
        assert conversations.get(session) == SAID
    assert [bool(conversations.get(session).messages) for session in "abcd"] == [False, False, True, True]


def test_a_conversation_moved_to_another_name_does_not_open(store: Store) -> None:
    conversations = Conversations(store, 10)
    conversations.put("s", SAID, 1)
    store.write("UPDATE conversations SET session = 't'")
    assert conversations.get("t") == Conversation()
    assert conversations.stats()["unreadable"] == 1


def test_forgetting_removes_words_and_questions(tmp_path: Path, store: Store) -> None:
    conversations, traces = Conversations(store, 10), Traces(store, 10)
    conversations.put("s", SAID, 1)
    traces.put(trace(1), "s", 1)
    traces.put(trace(2), "t", 2)
    assert conversations.forget("s") == 2
    assert conversations.forget("s") == 0
    assert traces.find("ee01") is None
    assert traces.find("ee02") == trace(2)


def test_nothing_said_is_readable_on_the_disk(tmp_path: Path, store: Store) -> None:
    Conversations(store, 10).put("s", SAID, 1)
    Traces(store, 10).put(trace(1), "s", 1)
    assert b"secret cup" not in b"".join(path.read_bytes() for path in tmp_path.iterdir())


def test_a_trace_is_found_by_either_id_or_a_beginning_and_the_last_by_nothing(store: Store) -> None:
    traces = Traces(store, 10)
    assert traces.find() is None
    for number in (1, 2):
        traces.put(trace(number), "s", number)
    assert traces.find() == trace(2)
    assert traces.find("ee01ab") == traces.find("EE01") == traces.find("ff01") == trace(1)
    assert traces.find("dd") is None
    assert traces.find("%01") is None


def test_only_the_last_traces_are_kept(store: Store) -> None:
    traces = Traces(store, 3)
    for number in range(6):
        traces.put(trace(number), "s", number)
    assert traces.stats()["kept"] == 3
    assert traces.find("ee02") is None
    assert traces.find("ee03") == trace(3)


def test_after_the_clock_was_set_back_the_last_trace_is_still_the_last(store: Store) -> None:
    traces = Traces(store, 3)
    for number, at in enumerate((10**18, 10**18, 10**18, 5, 6)):
        traces.put(trace(number), "s", at)
        assert traces.find() == trace(number)


def test_a_change_that_cannot_be_committed_leaves_nothing_open(store: Store) -> None:
    store._database.execute("PRAGMA foreign_keys = ON")
    store.write("CREATE TABLE ground (id INTEGER PRIMARY KEY)")
    store.write("CREATE TABLE upon (ground REFERENCES ground DEFERRABLE INITIALLY DEFERRED)")
    with pytest.raises(sqlite3.IntegrityError):
        store.write("INSERT INTO upon VALUES (1)")
    assert not store._database.in_transaction
    assert store.rows("SELECT * FROM upon") == []


def test_being_spoken_is_added_to_a_trace(store: Store) -> None:
    traces = Traces(store, 3)
    traces.put(trace(1), "s", 1)
    event = Spoken(
        exchange=trace(1).exchange,
        path="a.wav",
        audio_s=1.5,
        sentences=2,
        start_ns=10_000_000_000,
        first_sound_ns=10_020_000_000,
        end_ns=10_500_000_000,
    )
    assert traces.add(event.exchange, spoken(event))
    found = traces.find("ee01")
    assert found is not None
    assert [(stage.name, stage.node) for stage in found.stages[1:]] == [
        ("first_sound", "speaker"),
        ("speak", "speaker"),
    ]
    assert [stage.seconds for stage in found.stages[1:]] == pytest.approx([0.02, 0.48])
    assert not traces.add("unknown", spoken(event))
