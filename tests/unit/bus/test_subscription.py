"""A subscription hands its events on in order, at once where its handler is idle."""

import asyncio

import pytest
import structlog

from protocol.header import Header
from protocol.topics import Every, Latest, Queue
from runtime.bus.events import Event, Subscription


def event(number, size=10):
    header = Header(
        version=1, id=b"", name="test/n", source="s", host="h", epoch=1, seq=number, wall_ns=0, mono_ns=0, trace=b""
    )
    return Event(header, number, size)


class Listener:
    def __init__(self, delivery, *, gate=None):
        self.heard = []
        self.gate = gate
        self.subscription = Subscription("test/", delivery, self.hear, structlog.get_logger())
        opened = asyncio.Event()
        opened.set()
        self.task = asyncio.get_running_loop().create_task(
            self.subscription.run(opened), context=self.subscription.context
        )

    async def hear(self, event):
        if event.body == "bad":
            raise ValueError("bad")
        self.heard.append(event.body)
        if self.gate is not None:
            await self.gate.wait()

    async def put(self, *numbers, at_once=True):
        """Put events as the pump does: in one callback of the loop."""
        done = asyncio.get_running_loop().create_future()

        def callback():
            for number in numbers:
                self.subscription.put(event(number), at_once=at_once)
            done.set_result(list(self.heard))

        asyncio.get_running_loop().call_soon(callback)
        return await done


@pytest.fixture
async def listen():
    made = []

    async def make(delivery, **options):
        made.append(Listener(delivery, **options))
        await turns()
        return made[-1]

    yield make
    for one in made:
        one.task.cancel()
    await asyncio.gather(*(one.task for one in made), return_exceptions=True)


async def turns(count=5):
    for _ in range(count):
        await asyncio.sleep(0)


async def test_an_idle_handler_has_heard_before_the_loop_turns(listen):
    one = await listen(Queue(10))
    assert await one.put(1, 2) == [1, 2]
    assert one.subscription.stats() == {
        "received": 2,
        "waiting": 0,
        "size": 10,
        "dropped": 0,
        "handled": 2,
        "failed": 0,
    }


async def test_without_at_once_events_wait_for_the_loop_and_latest_conflates_them(listen):
    one = await listen(Latest())
    assert await one.put(1, 2, 3, at_once=False) == []
    await turns()
    assert one.heard == [3]
    assert one.subscription.stats()["conflated"] == 2


async def test_while_a_handler_waits_the_next_events_queue_behind_it(listen):
    one = await listen(Queue(10), gate=asyncio.Event())
    assert await one.put(1, 2) == [1]
    assert await one.put(3) == [1]
    one.gate.set()
    await turns(10)
    assert one.heard == [1, 2, 3]
    assert one.subscription.handled == 3


async def test_a_handler_that_fails_at_once_is_counted_and_the_next_event_is_heard(listen):
    one = await listen(Queue(10))
    with structlog.testing.capture_logs() as logs:
        assert await one.put("bad", 2) == [2]
    assert one.subscription.failed == 1
    assert [log["event"] for log in logs] == ["handler.failed"]


async def test_an_event_that_the_inbox_refuses_is_not_handled(listen):
    one = await listen(Every(limit_bytes=5))
    assert await one.put(1) == []
    assert one.subscription.stats()["dropped"] == 1
