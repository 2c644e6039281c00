"""What is written down stays until it was acknowledged, in order, sealed, each once."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from nodes.dialogue.deliveries import following
from nodes.dialogue.outbox import Delivery, Outbox
from nodes.dialogue.store import Store, StoreUnreadable
from protocol.messages.context import ExchangeScored, Snarc
from runtime.sealing import Sealer
from tests.unit.dialogue.stores import bill, lesson, open_store, to_score

DREAM, CONTROLLER, CLASSIFIER = "dream_consolidator", "metabolic_controller", "context_classifier"


@pytest.fixture
def store(tmp_path: Path):
    with closing(open_store(tmp_path)) as made:
        yield made


def test_deliveries_come_out_in_order_and_go_when_struck_out(store: Store) -> None:
    outbox = Outbox(store)
    outbox.put([bill(1), lesson(1), bill(2)])
    seen = []
    while pending := outbox.first(CONTROLLER):
        seen.append(pending.delivery.request.cpu_s)
        outbox.strike(pending)
    assert seen == [1, 2]
    assert outbox.waiting() == {DREAM: 1}
    assert outbox.stats()["delivered"] == 2


def test_the_same_key_is_written_down_once(store: Store) -> None:
    outbox = Outbox(store)
    outbox.put([bill(1)])
    outbox.put([bill(1), bill(1)])
    assert outbox.waiting() == {CONTROLLER: 1}


def test_what_follows_takes_the_place_of_what_was_struck_out(store: Store) -> None:
    outbox = Outbox(store)
    outbox.put([to_score(1)])
    pending = outbox.first(CLASSIFIER)
    assert pending is not None
    scored = ExchangeScored(exchange="e1", snarc=Snarc(salience=0.9))
    outbox.strike(pending, following(pending.delivery, scored))
    assert outbox.waiting() == {DREAM: 1}
    kept = outbox.first(DREAM)
    assert kept is not None
    assert kept.delivery.request.snarc.salience == 0.9
    assert kept.delivery.request.answer == "in the hall ."


def test_what_a_destination_refuses_lets_the_others_through_and_comes_back_with_a_restart(store: Store) -> None:
    outbox = Outbox(store)
    outbox.put([bill(1), bill(2)])
    pending = outbox.first(CONTROLLER)
    assert pending is not None
    outbox.refuse(pending, "it does not like it")
    following_one = outbox.first(CONTROLLER)
    assert following_one is not None
    assert following_one.delivery == bill(2)
    assert outbox.stats()["refused"] == 1
    again = Outbox(store).first(CONTROLLER)
    assert again is not None
    assert again.delivery == bill(1)


def test_it_survives_closing(tmp_path: Path) -> None:
    with closing(open_store(tmp_path)) as store:
        outbox = Outbox(store)
        outbox.put([to_score(1)])
        pending = outbox.first(CLASSIFIER)
        assert pending is not None
        outbox.count_attempt(pending)
    with closing(open_store(tmp_path)) as store:
        pending = Outbox(store).first(CLASSIFIER)
    assert pending is not None
    assert pending.delivery == to_score(1)
    assert pending.attempts == 1


def test_what_people_said_is_not_readable_on_the_disk(tmp_path: Path) -> None:
    with closing(open_store(tmp_path)) as store:
        Outbox(store).put([lesson(1)])
        files = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert b"secret cup" not in files
    assert b"e1" in files


def test_what_no_longer_opens_is_set_aside_and_counted_and_holds_nobody_up(tmp_path: Path, store: Store) -> None:
    outbox = Outbox(store)
    outbox.put([bill(1), bill(2)])
    store.write("UPDATE outbox SET body = ? WHERE key = 'e1'", b"\x01" + bytes(60))
    pending = outbox.first(CONTROLLER)
    assert pending is not None
    assert pending.delivery == bill(2)
    assert outbox.stats()["refused"] == 1


def test_a_transaction_that_fails_leaves_nothing(store: Store) -> None:
    outbox = Outbox(store)

    def half() -> None:
        with store.transaction():
            outbox.put([bill(1)])
            raise ValueError("in between")

    with pytest.raises(ValueError, match="in between"):
        half()
    assert outbox.waiting() == {}
    outbox.put([bill(2)])
    assert outbox.waiting() == {CONTROLLER: 1}


def test_a_file_that_is_no_database_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "dialogue.sqlite"
    path.write_bytes(b"not a database, but long enough to look like something" * 20)
    with pytest.raises(StoreUnreadable, match="move it away"):
        Store.open(path, Sealer(bytes(32), "dialogue"))


def test_tables_of_another_version_are_refused_by_name(tmp_path: Path) -> None:
    open_store(tmp_path).close()
    with closing(sqlite3.connect(tmp_path / "dialogue.sqlite")) as database:
        database.execute("PRAGMA user_version = 9")
    with pytest.raises(StoreUnreadable, match="version 9"):
        open_store(tmp_path)


def test_the_file_is_for_its_owner_only(tmp_path: Path) -> None:
    open_store(tmp_path).close()
    assert (tmp_path / "dialogue.sqlite").stat().st_mode & 0o077 == 0


def test_a_delivery_without_a_follower_is_followed_by_nothing() -> None:
    assert following(bill(1), object()) is None
    assert isinstance(following(to_score(1), object()), Delivery)
