"""Between the socket and the handler: three ways to bound what waits. Pure; every loss is counted."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Hashable
from typing import Generic, Protocol, TypeVar

from protocol.topics import Delivery, Every, Latest, Queue

T = TypeVar("T")


class Inbox(Protocol[T]):
    """Holds what was received until the handler takes it."""

    def put(self, item: T) -> bool:
        """Take in `item`; False where something had to be given up for it."""

    def get(self) -> T:
        """The next item. `IndexError` where there is none."""

    def __len__(self) -> int: ...

    def stats(self) -> dict[str, float]: ...


class LatestInbox(Generic[T]):
    """Keeps the newest item of each key; the keys take turns in the order they first waited."""

    def __init__(self, key: Callable[[T], Hashable]) -> None:
        self._key = key
        self._items: OrderedDict[Hashable, T] = OrderedDict()
        self.received = 0
        self.conflated = 0

    def put(self, item: T) -> bool:
        self.received += 1
        key = self._key(item)
        replaced = key in self._items
        self._items[key] = item
        self.conflated += replaced
        return True

    def get(self) -> T:
        if not self._items:
            raise IndexError("nothing waits")
        return self._items.popitem(last=False)[1]

    def __len__(self) -> int:
        return len(self._items)

    def stats(self) -> dict[str, float]:
        return {"received": self.received, "waiting": len(self._items), "conflated": self.conflated}


class QueueInbox(Generic[T]):
    """Keeps the newest `size` items, in order."""

    def __init__(self, size: int) -> None:
        if size < 1:
            raise ValueError(f"a queue holds at least one item, not {size}")
        self._items: deque[T] = deque()
        self._size = size
        self.received = 0
        self.dropped = 0

    def put(self, item: T) -> bool:
        self.received += 1
        full = len(self._items) >= self._size
        if full:
            self._items.popleft()
            self.dropped += 1
        self._items.append(item)
        return not full

    def get(self) -> T:
        return self._items.popleft()

    def __len__(self) -> int:
        return len(self._items)

    def stats(self) -> dict[str, float]:
        return {
            "received": self.received,
            "waiting": len(self._items),
            "size": self._size,
            "dropped": self.dropped,
        }


class EveryInbox(Generic[T]):
    """Keeps all items, up to `limit_bytes` of them; past that the new ones are refused and counted."""

    def __init__(self, limit_bytes: int, size_of: Callable[[T], int]) -> None:
        self._items: deque[tuple[int, T]] = deque()
        self._limit = limit_bytes
        self._size_of = size_of
        self._bytes = 0
        self.received = 0
        self.dropped = 0

    def put(self, item: T) -> bool:
        self.received += 1
        size = self._size_of(item)
        if self._bytes + size > self._limit:
            self.dropped += 1
            return False
        self._bytes += size
        self._items.append((size, item))
        return True

    def get(self) -> T:
        size, item = self._items.popleft()
        self._bytes -= size
        return item

    def __len__(self) -> int:
        return len(self._items)

    def stats(self) -> dict[str, float]:
        return {
            "received": self.received,
            "waiting": len(self._items),
            "bytes": self._bytes,
            "limit_bytes": self._limit,
            "dropped": self.dropped,
        }


def make_inbox(delivery: Delivery, *, key: Callable[[T], Hashable], size_of: Callable[[T], int]) -> Inbox[T]:
    """The inbox for a topic's declared delivery."""
    match delivery:
        case Latest():
            return LatestInbox(key)
        case Queue(size):
            return QueueInbox(size)
        case Every(limit_bytes):
            return EveryInbox(limit_bytes, size_of)
