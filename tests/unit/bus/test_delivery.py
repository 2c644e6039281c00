import pytest

from protocol.topics import Every, Latest, Queue
from runtime.bus.delivery import make_inbox


def inbox(delivery):
    return make_inbox(delivery, key=lambda item: item[0], size_of=lambda item: item[1])


def drain(box):
    return [box.get() for _ in range(len(box))]


def test_latest_keeps_the_newest_of_each_key_and_counts_what_it_replaced():
    box = inbox(Latest())
    for item in (("a", 1), ("b", 1), ("a", 2), ("a", 3)):
        assert box.put(item)
    assert drain(box) == [("a", 3), ("b", 1)]
    assert box.stats() == {"received": 4, "waiting": 0, "conflated": 2}


def test_a_queue_loses_the_oldest_and_counts_them():
    box = inbox(Queue(2))
    assert [box.put(("a", n)) for n in range(4)] == [True, True, False, False]
    assert box.stats()["dropped"] == 2
    assert drain(box) == [("a", 2), ("a", 3)]


def test_every_keeps_all_up_to_its_bytes():
    box = inbox(Every(limit_bytes=10))
    assert [box.put(("a", 4)) for _ in range(3)] == [True, True, False]
    assert box.stats()["dropped"] == 1
    box.get()
    assert box.put(("a", 6))
    assert box.stats()["bytes"] == 10


@pytest.mark.parametrize("delivery", [Latest(), Queue(3), Every()])
def test_an_empty_inbox_says_so(delivery):
    with pytest.raises(IndexError):
        inbox(delivery).get()


def test_a_queue_of_nothing_is_refused():
    with pytest.raises(ValueError, match="at least one"):
        inbox(Queue(0))
