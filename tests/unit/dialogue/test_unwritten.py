"""What cannot be written waits, in order and bounded, and nobody waits for it."""

import pytest

from nodes.dialogue import unwritten
from nodes.dialogue.store import StoreUnwritable
from nodes.dialogue.unwritten import Unwritten, Write


class Disk:
    def __init__(self) -> None:
        self.full = True
        self.written: list[int] = []

    def writing(self, number: int) -> Write:
        def write() -> None:
            if self.full:
                raise StoreUnwritable("cannot be written: database or disk is full", place="d.sqlite")
            self.written.append(number)

        return write


def test_what_waits_is_written_first_and_in_order_once_there_is_room():
    disk, waiting = Disk(), Unwritten()
    for number in range(3):
        waiting.put(disk.writing(number))
    assert (len(waiting), disk.written) == (3, [])
    assert "disk is full" in waiting.problem
    disk.full = False
    waiting.put(disk.writing(3))
    assert (disk.written, len(waiting), waiting.problem) == ([0, 1, 2, 3], 0, "")


def test_it_may_be_tried_again_without_anything_new():
    disk, waiting = Disk(), Unwritten()
    waiting.put(disk.writing(0))
    waiting.again()
    assert len(waiting) == 1
    disk.full = False
    waiting.again()
    assert (disk.written, waiting.problem) == ([0], "")


def test_past_the_bound_the_oldest_is_given_up_and_counted(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(unwritten, "MOST", 2)
    disk, waiting = Disk(), Unwritten()
    for number in range(5):
        waiting.put(disk.writing(number))
    disk.full = False
    waiting.again()
    assert (disk.written, waiting.given_up) == ([3, 4], 3)


def test_what_no_room_would_help_is_raised_and_holds_up_nothing():
    disk, waiting = Disk(), Unwritten()
    disk.full = False

    def wrong() -> None:
        raise ValueError("no such thing")

    with pytest.raises(ValueError, match="no such thing"):
        waiting.put(wrong)
    waiting.put(disk.writing(1))
    assert disk.written == [1]
