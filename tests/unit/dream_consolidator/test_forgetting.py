"""What is forgotten is gone: from the answers, from the files, and from what was said after it."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from nodes.dream_consolidator.collector.redaction import Redact, Rule
from nodes.dream_consolidator.collector.store import Collector
from nodes.dream_consolidator.collector.tables import VERSION
from protocol.errors import ConfigError, SealError
from protocol.messages.dream import ForgetExamples, Revise
from runtime.sealing import Sealer
from tests.data.make_examples_v0 import HOME
from tests.unit.dream_consolidator.stores import LEVELS, SETTINGS, open_store, said


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Collector]:
    made = open_store(tmp_path)
    made.offer(said("k1", "where is Eva?", "in the hall"), 100)
    made.offer(said("k2", "and Ben?", "in the garden", before=("where is Eva?", "in the hall")), 200)
    made.offer(said("g1", "what is 2 plus 2?", "4", session="garden"), 300)
    made.offer(said("g2", "who sings?", "Eva does", session="garden"), 400)
    yield made
    made.close()


def left(store: Collector) -> list[str]:
    return [example.exchange for example in store.examples()]


@pytest.mark.parametrize(
    ("wish", "stays"),
    [
        (ForgetExamples(exchange="k2"), ["k1", "g1", "g2"]),
        (ForgetExamples(exchange="k1"), ["g1", "g2"]),
        (ForgetExamples(session="garden"), ["k1", "k2"]),
        (ForgetExamples(matching="EVA"), ["g1"]),
        (ForgetExamples(before_ns=300), ["g1", "g2"]),
        (ForgetExamples(session="garden", matching="eva"), ["k1", "k2", "g1"]),
        (ForgetExamples(everything=True), []),
        (ForgetExamples(exchange="unknown"), ["k1", "k2", "g1", "g2"]),
    ],
)
def test_what_was_meant_goes_with_later_turns_that_hold_it_and_nothing_else(
    store: Collector, wish: ForgetExamples, stays: list[str]
) -> None:
    found = store.forget(wish)
    assert left(store) == stays
    assert store.count == len(stays)
    assert len(found.examples) == 4 - len(stays) == store.stats()["forgotten"]


def test_the_same_turn_in_another_conversation_stays(store: Collector) -> None:
    store.offer(said("o1", "and Tom?", "away", before=("where is Eva?", "in the hall"), session="other"), 500)
    store.forget(ForgetExamples(exchange="k1"))
    assert left(store) == ["g1", "g2", "o1"]


def test_an_example_goes_with_any_exchange_that_was_merged_into_it(store: Collector) -> None:
    store.offer(said("g3", "What is 2 plus 2", "4", session="kitchen"), 500)
    found = store.forget(ForgetExamples(exchange="g1"))
    assert left(store) == ["k1", "k2", "g2"]
    assert found.exchanges == {"g1", "g3"}
    assert store.revise(Revise(exchange="g3", score=1.0)).why == "it is not kept"


def test_what_was_made_from_it_is_still_to_be_told_after_a_crash(store: Collector, tmp_path: Path) -> None:
    store.forget(ForgetExamples(session="garden"))
    store.close()
    again = open_store(tmp_path)
    assert sorted(again.pending()) == ["g1", "g2"]
    again.settled(["g1", "g2"])
    assert again.pending() == []
    again.close()


def test_what_the_store_has_given_up_is_told_too_for_something_may_have_learned_from_it(tmp_path: Path) -> None:
    store = open_store(tmp_path, capacity=2)
    for number in range(6):
        store.offer(said(f"x{number}", f"what is {number}?"), number)
    found = store.forget(ForgetExamples(session="kitchen"))
    assert len(found.examples) == 2
    assert len(found.exchanges) >= 2
    given_up = {f"x{number}" for number in range(6)} - {example.exchange for example in store.examples()}
    assert found.exchanges <= given_up
    assert store.forget(ForgetExamples(exchange="x-unknown")).exchanges == {"x-unknown"}
    store.close()


def test_no_byte_of_what_was_forgotten_is_left_in_any_file(store: Collector, tmp_path: Path) -> None:
    for number in range(90):
        store.offer(said(f"n{number}", f"what is {number}?", "word " * (number % 40 + 1)), 1000 + number)
    sealed = sealed_rows(tmp_path)
    assert len(sealed) == 94
    assert all(found_in(tmp_path, each) for each in sealed.values())
    store.forget(ForgetExamples(session="garden"))
    for exchange in ("g1", "g2"):
        assert not found_in(tmp_path, sealed[exchange])
        assert not found_in(tmp_path, sealed[exchange][20:60])
    assert found_in(tmp_path, sealed["k1"][:200])
    store.forget(ForgetExamples(everything=True))
    assert not any(found_in(tmp_path, each[20:60]) for each in sealed.values())


def sealed_rows(folder: Path) -> dict[str, bytes]:
    with closing(sqlite3.connect(folder / "examples.sqlite")) as database:
        return dict(database.execute("SELECT exchange, sealed FROM example").fetchall())


def found_in(folder: Path, data: bytes) -> bool:
    return any(data in path.read_bytes() for path in folder.iterdir())


def test_forgetting_everything_begins_a_new_sample(tmp_path: Path) -> None:
    store = open_store(tmp_path, capacity=3)
    for number in range(30):
        store.offer(said(f"x{number}", f"what is {number}?"), number)
    store.forget(ForgetExamples(everything=True))
    for number in range(3):
        assert store.offer(said(f"y{number}", f"what is {number}?"), 100 + number).kept
    store.close()


def test_a_list_opens_no_seal_unless_it_is_asked_to(store: Collector, tmp_path: Path) -> None:
    (row, *_) = store.rows(["k1"])
    assert (row.exchange, row.level, row.context, row.cluster, row.met) == ("k1", "tactical", "novel", -1, 1)
    assert (row.messages, row.answer, row.snarc) == ([], "", None)
    (opened,) = store.rows(["k1"], words=True)
    assert (opened.messages[-1].content, opened.answer, opened.version) == ("where is Eva?", "in the hall", "v1")
    with sqlite3.connect(tmp_path / "examples.sqlite") as database:
        database.execute("UPDATE example SET sealed = x'00'")
    database.close()
    assert [row.exchange for row in store.rows()] == ["k1", "k2", "g1", "g2"]
    with pytest.raises(SealError, match="not sealed data"):
        list(store.rows(words=True))


def test_what_goes_while_it_is_listed_is_left_out(store: Collector) -> None:
    rows = store.rows(words=True)
    assert next(rows).exchange == "k1"
    store.forget(ForgetExamples(exchange="k2"))
    assert [row.exchange for row in rows] == ["g1", "g2"]


# Stores that were written otherwise


@pytest.fixture
def old(tmp_path: Path) -> Path:
    shutil.copytree(HOME, tmp_path / "old")
    (tmp_path / "old" / "host.key").chmod(0o600)
    (tmp_path / "old").chmod(0o700)
    return tmp_path / "old"


def opened(folder: Path, **changes: object) -> Collector:
    sealer = Sealer.load(folder, "dream")
    return Collector(folder / "examples.sqlite", sealer, msgspec.structs.replace(SETTINGS, **changes), LEVELS)


def test_a_store_of_the_first_format_opens_without_loss_and_is_redacted(old: Path) -> None:
    before = sealed_rows(old)
    for _ in range(2):
        store = opened(old)
        first, second, third = store.examples()
        assert (first.exchange, first.question, first.score, first.verifier) == (
            "a1",
            "What is 17 plus 25?",
            1.0,
            "curriculum",
        )
        assert (second.question, second.answer) == ("Tell [email 1] I am late.", "I told [email 1].")
        assert (third.level, third.salience, third.snarc, third.session, third.met) == ("sensory", 0.4, None, "", 1)
        assert store.secret == bytes(range(32)), "every question stays on its side of the split"
        assert store.latest_ns == third.received_ns
        store.close()
    assert not found_in(old, before["a2"][20:60])
    store = opened(old)
    assert store.offer(said("a4", "where is the cup?", "in the hall"), 1).why.startswith("the same question")
    assert len(store.forget(ForgetExamples(before_ns=1_795_000_030 * 10**9)).examples) == 1
    store.close()


def test_a_store_of_a_newer_program_is_refused_with_the_remedy(tmp_path: Path) -> None:
    open_store(tmp_path).close()
    with closing(sqlite3.connect(tmp_path / "examples.sqlite")) as database:
        database.execute(f"PRAGMA user_version = {VERSION + 1}")
    with pytest.raises(ConfigError, match=r"newer program.*upgrade this program"):
        open_store(tmp_path)


def test_a_rule_added_later_is_applied_to_what_is_kept(store: Collector, tmp_path: Path) -> None:
    sealed = sealed_rows(tmp_path)
    store.close()
    name = Rule(name="name", pattern=r"(?i)\b(?:eva|ben)\b", hits=("Eva",), misses=("evaluate",))
    again = open_store(tmp_path, redact=Redact(own=(name,)))
    assert [example.question for example in again.examples()][:2] == ["where is [name 1]?", "and [name 2]?"]
    assert again.stats()["redacted_name"] == 4
    assert not found_in(tmp_path, sealed["k1"][20:60])
    again.close()


def test_what_becomes_the_same_by_a_later_rule_becomes_one(tmp_path: Path) -> None:
    store = open_store(tmp_path, redact=Redact(kinds=()))
    store.offer(said("x1", "write to a@x.org", "done"), 1)
    store.offer(said("x2", "write to b@x.org", "done"), 2)
    store.close()
    again = open_store(tmp_path)
    (example,) = again.examples()
    assert (example.question, example.met) == ("write to [email 1]", 2)
    assert again.revise(Revise(exchange="x1", score=1.0, source="user")).revised
    again.close()


def test_what_was_redacted_lies_nowhere_and_is_counted_by_rule(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    store.offer(said("x1", "mail eva@example.org or ring 030 9018201", "eva@example.org it is", ids=[1]), 1)
    (example,) = store.examples()
    assert (example.question, example.answer, example.ids) == (
        "mail [email 1] or ring [phone 1]",
        "[email 1] it is",
        (),
    )
    assert (store.stats()["redacted_email"], store.stats()["redacted_phone"], store.stats()["redacted_card"]) == (
        2,
        1,
        0,
    )
    store.close()
