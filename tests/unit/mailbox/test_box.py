"""A mailbox whose ends all are in this process."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from protocol.errors import BadRequest, BulkCorrupt, BulkMissing, FutureVersion, Overloaded, Oversized
from runtime.mailbox import locks
from runtime.mailbox.box import Mailbox

PATIENCE_S = 60.0


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Mailbox]:
    with Mailbox.create(tmp_path / "private" / "box", slots=3, nbytes=4096) as made:
        yield made
        made.remove()


def taken(box: Mailbox) -> tuple[list[float], bytes] | None:
    with box.take(timeout=0) as letter:
        return (letter.array.tolist(), letter.label) if letter is not None else None


def put(box: Mailbox, value: float) -> None:
    box.put(np.full(2, value), str(value).encode(), timeout=0)


def test_letters_come_out_as_they_went_in_and_in_their_order(box: Mailbox) -> None:
    sent = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    box.put(sent, b"first")
    box.put(np.array(7, dtype=np.uint8))
    with Mailbox.open(box.path) as elsewhere:
        with elsewhere.take() as letter:
            assert letter is not None
            assert (letter.label, letter.array.dtype) == (b"first", np.float32)
            np.testing.assert_array_equal(letter.array, sent)
            with pytest.raises(ValueError, match="read-only"):
                letter.array[0] = 1
        assert taken(elsewhere) == (7, b"")
        assert taken(elsewhere) is None
    nothing = dict.fromkeys(("given_back", "writers_lost", "readers_lost", "full", "ready", "writing", "reading"), 0)
    assert box.stats() == {"put": 2, "taken": 2, "slots": 3, **nothing}


def test_a_full_ring_refuses_by_name_and_goes_on_once_there_is_room(box: Mailbox) -> None:
    for value in range(3):
        put(box, value)
    with pytest.raises(Overloaded, match="all 3 slots of the mailbox are full"):
        put(box, 3)
    assert box.stats()["full"] == 1
    assert taken(box) == ([0, 0], b"0")
    put(box, 3)
    assert [taken(box) for _ in range(3)] == [([value] * 2, str(value).encode()) for value in (1, 2, 3)]


def test_who_waits_for_a_letter_or_for_room_gets_it(box: Mailbox) -> None:
    found: list[object] = []

    def read() -> None:
        with Mailbox.open(box.path) as end:
            for _ in range(20):
                with end.take(timeout=PATIENCE_S) as letter:
                    found.append(letter.array.tolist() if letter else None)

    reader = threading.Thread(target=read)
    reader.start()
    for value in range(20):
        box.put(np.array(value), timeout=PATIENCE_S)
    reader.join(PATIENCE_S)
    assert found == list(range(20))


def test_what_fails_while_it_is_written_is_no_letter_and_while_it_is_read_waits_again_first(box: Mailbox) -> None:
    with pytest.raises(ZeroDivisionError), box.room((2,), np.float64):
        raise ZeroDivisionError
    assert taken(box) is None
    put(box, 1)
    put(box, 2)
    with pytest.raises(ZeroDivisionError), box.take():
        raise ZeroDivisionError
    assert [taken(box), taken(box)] == [([1, 1], b"1"), ([2, 2], b"2")]
    assert box.stats()["given_back"] == 2


def test_two_letters_may_be_read_at_once_by_one_end(box: Mailbox) -> None:
    put(box, 1)
    put(box, 2)
    with box.take() as first, box.take() as second:
        assert first is not None
        assert second is not None
        assert (first.label, second.label) == (b"1", b"2")
        assert box.stats()["reading"] == 2
    assert box.stats()["taken"] == 2


def test_an_end_that_lets_go_leaves_what_it_was_doing_to_the_others(box: Mailbox) -> None:
    put(box, 1)
    gone = Mailbox.open(box.path)
    reading, writing = gone.take(), gone.room((2,), np.float64)
    reading.__enter__()
    writing.__enter__()
    assert taken(box) is None
    gone.close()
    assert taken(box) == ([1, 1], b"1")
    for value in (2, 3, 4):
        put(box, value)
    assert (box.stats()["readers_lost"], box.stats()["writers_lost"]) == (1, 1)


def test_a_letter_that_somebody_wrote_into_while_it_was_read_is_named(box: Mailbox) -> None:
    put(box, 1)
    with pytest.raises(BulkCorrupt, match="slot 0 was written while it was read"), box.take():
        box._table.sequences[0] += 2


def test_one_that_is_stopped_in_the_middle_of_a_change_is_not_waited_for_for_ever(
    box: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runtime.mailbox.box.PATIENCE_S", 0.01)
    with Mailbox.open(box.path) as stopped:
        assert locks.try_lock(stopped._descriptor, 0)
        with pytest.raises(Overloaded, match="may be stopped"):
            put(box, 1)
        locks.unlock(stopped._descriptor, 0)
        put(box, 1)
    assert taken(box) == ([1, 1], b"1")


@pytest.mark.parametrize(
    ("array", "label", "error", "named"),
    [
        (np.zeros(600), b"", Oversized, "4800 bytes, and a slot holds 4096"),
        (np.array([object()]), b"", BadRequest, "is no plain number"),
        (np.zeros((1,) * 9), b"", BadRequest, "9 dimensions"),
        (np.zeros(1), b"x" * 2000, BadRequest, "2000 bytes of label"),
    ],
)
def test_what_fits_no_slot_is_refused_and_changes_nothing(
    box: Mailbox, array: np.ndarray, label: bytes, error: type[Exception], named: str
) -> None:
    with pytest.raises(error, match=named):
        box.put(array, label)
    assert box.stats()["writing"] == 0


def test_files_that_are_no_mailbox_are_refused_by_name(tmp_path: Path, box: Mailbox) -> None:
    with pytest.raises(BulkMissing, match="there is no mailbox"):
        Mailbox.open(tmp_path / "none")
    (tmp_path / "other").write_bytes(b"x" * 100)
    with pytest.raises(BulkCorrupt, match="is no mailbox"):
        Mailbox.open(tmp_path / "other")
    whole = box.path.read_bytes()
    (tmp_path / "cut").write_bytes(whole[:-1])
    with pytest.raises(BulkCorrupt, match="a mailbox of 3 slots"):
        Mailbox.open(tmp_path / "cut")
    (tmp_path / "later").write_bytes(whole[:8] + b"\x02" + whole[9:])
    with pytest.raises(FutureVersion):
        Mailbox.open(tmp_path / "later")
    with pytest.raises(BadRequest, match="are no mailbox"):
        Mailbox.create(tmp_path / "none", slots=0, nbytes=1)


def test_nobody_writes_into_a_mailbox_that_was_taken_away_or_made_anew(box: Mailbox) -> None:
    with Mailbox.create(box.path, slots=1, nbytes=1) as anew:
        with pytest.raises(BulkMissing, match="made anew"):
            put(box, 1)
        anew.remove()
        with pytest.raises(BulkMissing, match="taken away"), anew.take(timeout=0):
            pass


def test_memory_is_claimed_at_once_and_is_nobody_elses_to_read(box: Mailbox) -> None:
    known = os.stat(box.path)
    assert known.st_blocks * 512 >= 3 * 4096
    assert known.st_mode & 0o077 == 0
