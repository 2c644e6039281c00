from __future__ import annotations

import sqlite3
import stat
from pathlib import Path

import msgspec
import pytest

from nodes.dream_consolidator.collector.store import Collector, worth_keeping
from nodes.dream_consolidator.settings import Collect
from protocol.errors import SealError
from protocol.messages.context import Snarc
from protocol.messages.dream import Keep, Revise
from protocol.messages.model import ChatMessage
from runtime.sealing import Sealer

SETTINGS = Collect(salience=0.5, sample=0.0, capacity=100)


def offer(exchange: str, *, salience: float = 0.9, context: str = "novel", **changes: object) -> Keep:
    told = {
        "session": "kitchen",
        "messages": [ChatMessage(role="user", content=f"what is {exchange}?")],
        "answer": "a thing",
        "level": "tactical",
        "version": "v1",
        **changes,
    }
    return Keep(exchange=exchange, context=context, snarc=Snarc(salience=salience), **told)


@pytest.fixture
def sealer() -> Sealer:
    return Sealer(b"s" * 32, "dream")


@pytest.fixture
def collector(tmp_path: Path, sealer: Sealer):
    made = Collector(tmp_path / "examples.sqlite", sealer, SETTINGS)
    yield made
    made.close()


def test_a_salient_exchange_is_kept_with_all_that_was_said(collector: Collector) -> None:
    kept = collector.offer(offer("x1", score=1.0, verifier="arithmetic", confidence=0.8), 7)
    assert (kept.kept, kept.why, kept.examples) == (True, "salience 0.90", 1)
    (example,) = collector.examples()
    assert (example.question, example.answer, example.received_ns) == ("what is x1?", "a thing", 7)
    assert (example.stratum, example.score, example.verifier) == ("novel/-1", 1.0, "arithmetic")


def test_the_same_exchange_offered_twice_is_kept_once(collector: Collector) -> None:
    first, second = collector.offer(offer("x1"), 1), collector.offer(offer("x1"), 2)
    assert (first.kept, second.kept, second.why, second.examples) == (True, True, "already kept", 1)


def test_the_same_words_in_another_exchange_are_a_duplicate(collector: Collector) -> None:
    words = [ChatMessage(role="user", content="hello")]
    assert collector.offer(offer("x1", messages=words), 1).kept
    again = collector.offer(offer("x2", messages=words), 2)
    assert (again.kept, again.why) == (False, "the same question was answered the same before")
    assert collector.offer(offer("x3", messages=words, answer="another"), 3).kept


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"messages": []}, "the last message is not a question"),
        ({"messages": [ChatMessage(role="assistant", content="hm")]}, "the last message is not a question"),
        ({"messages": [ChatMessage(role="user", content="  ")]}, "the question is empty"),
        ({"answer": " "}, "it was not answered"),
        ({"salience": 0.49}, "salience 0.49 is below 0.50"),
    ],
)
def test_what_nothing_can_be_learned_from_is_refused_with_the_reason(
    collector: Collector, changes: dict[str, object], why: str
) -> None:
    kept = collector.offer(offer("x1", **changes), 1)
    assert (kept.kept, kept.why, kept.examples) == (False, why, 0)


def test_a_share_of_the_dull_ones_is_kept_as_a_sample() -> None:
    settings = msgspec.structs.replace(SETTINGS, sample=0.1)
    assert worth_keeping(offer("x", salience=0.0), settings, 0.09) == (True, "drawn as a sample of what is not salient")
    assert not worth_keeping(offer("x", salience=0.0), settings, 0.1)[0]


def test_the_fullest_stratum_gives_up_what_is_over_capacity(tmp_path: Path, sealer: Sealer) -> None:
    collector = Collector(tmp_path / "x.sqlite", sealer, msgspec.structs.replace(SETTINGS, capacity=10))
    for number in range(3):
        collector.offer(offer(f"rare{number}", context="stable"), number)
    replies = [collector.offer(offer(f"often{number}"), number) for number in range(40)]
    strata = [example.stratum for example in collector.examples()]
    assert (len(strata), strata.count("stable/-1")) == (10, 3)
    assert {reply.why for reply in replies if not reply.kept} == {"its stratum is full, and the lot fell on it"}
    stats = collector.stats()
    assert (stats["examples"], stats["evicted"]) == (10, 33)
    collector.close()


def test_everything_survives_and_the_split_stays_the_same_when_it_is_opened_again(
    tmp_path: Path, sealer: Sealer
) -> None:
    first = Collector(tmp_path / "x.sqlite", sealer, SETTINGS)
    first.offer(offer("x1"), 1)
    examples, secret = first.examples(), first.secret
    first.close()
    second = Collector(tmp_path / "x.sqlite", sealer, SETTINGS)
    assert (second.examples(), second.secret) == (examples, secret)
    second.close()


def test_nothing_that_was_said_lies_open_on_disk(tmp_path: Path, collector: Collector) -> None:
    collector.offer(offer("x1", answer="the spare key is under the flowerpot"), 1)
    for file in tmp_path.iterdir():
        data = file.read_bytes()
        assert b"flowerpot" not in data
        assert b"kitchen" not in data
        assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_an_example_moved_to_another_place_does_not_open(tmp_path: Path, collector: Collector) -> None:
    collector.offer(offer("x1"), 1)
    collector.offer(offer("x2"), 2)
    with sqlite3.connect(tmp_path / "examples.sqlite") as database:
        database.execute("UPDATE example SET sealed = (SELECT sealed FROM example WHERE exchange = 'x1')")
    database.close()
    with pytest.raises(SealError, match="does not open"):
        collector.examples()


def test_it_tells_how_many_came_since_a_moment(collector: Collector) -> None:
    for number in range(5):
        collector.offer(offer(f"x{number}"), 10 + number)
    assert collector.received_since(12) == 2


def test_what_comes_after_the_clock_was_put_back_is_new_all_the_same(collector: Collector) -> None:
    collector.offer(offer("x0"), 30 * 86_400 * 10**9)
    read = collector.latest_ns
    for number in range(1, 4):
        collector.offer(offer(f"x{number}"), number)
    assert collector.received_since(read) == 3


def test_what_is_learned_later_reaches_a_kept_example(collector: Collector) -> None:
    collector.offer(offer("x1", score=1.0, verifier="arithmetic"), 7)
    revised = collector.revise(Revise(exchange="x1", snarc=Snarc(salience=0.7), score=0.0, source="user"))
    assert (revised.revised, revised.why) == (True, "salience 0.70")
    (example,) = collector.examples()
    assert (example.salience, example.score, example.verifier) == (0.7, 0.0, "user")
    assert (example.answer, example.received_ns) == ("a thing", 7)


def test_what_is_not_known_any_better_stays(collector: Collector) -> None:
    collector.offer(offer("x1", score=1.0, verifier="arithmetic"), 7)
    assert collector.revise(Revise(exchange="x1", snarc=Snarc(salience=0.6), source="uncorrected")).revised
    (example,) = collector.examples()
    assert (example.salience, example.score, example.verifier) == (0.6, 1.0, "arithmetic")


def test_told_twice_or_of_what_is_not_kept_nothing_changes(collector: Collector) -> None:
    collector.offer(offer("x1"), 7)
    revise = Revise(exchange="x1", snarc=Snarc(salience=0.6))
    assert collector.revise(revise).revised
    assert collector.revise(revise).why == "nothing changed"
    assert collector.revise(Revise(exchange="never kept", score=1.0)).why == "it is not kept"
    assert collector.stats()["revised"] == 1
