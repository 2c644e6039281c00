"""The answering side of calls, without sockets: what is sent is kept in a list."""

from __future__ import annotations

import asyncio

import pytest
import structlog

from protocol.codec import decode_as, encode
from protocol.errors import Cancelled, ErrorBody
from protocol.messages.node import Ping, Pong
from protocol.services import SERVICES
from protocol.topics import TOPICS
from runtime.bus import frames
from runtime.bus.publisher import Publisher
from runtime.bus.serving import Call, Served, Server
from runtime.clock import Clock


class Asker:
    """Puts frames to a server as the hub would, and keeps what it sends back."""

    def __init__(self) -> None:
        self.sent: list[tuple[bytes, bytes, bytes]] = []
        clock = Clock()
        self.publisher = Publisher(source="asker", host="here", clock=clock, topics=TOPICS)
        self.server = Server(self._send, clock, structlog.get_logger())
        self.server.add(Served(SERVICES.by_request(Ping), self._pong, concurrency=2, queue=1))
        self.server.open()

    def ask(self, ident: bytes) -> None:
        draft = self.publisher.draft("node/ping", Ping(), deadline_ns=self.publisher._clock.mono_ns() + 60 * 10**9)
        self.server.take(frames.REQUEST, ident, encode(draft))

    def errors(self) -> list[str]:
        return [decode_as(payload, ErrorBody).code for kind, _, payload in self.sent if kind == frames.ERROR]

    def _send(self, parts: list[bytes]) -> bool:
        kind, _, ident, payload = parts
        self.sent.append((kind, ident, payload))
        return True

    async def _pong(self, _request: Ping, _call: Call) -> Pong:
        return Pong()


@pytest.fixture
def asker() -> Asker:
    return Asker()


async def turns(count: int = 10) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def test_a_request_given_up_before_it_was_begun_is_answered_and_leaves_its_place(asker: Asker) -> None:
    """Both frames come in one batch where the process stood still, or the asker changed its mind at once."""
    for number in range(10):
        asker.ask(bytes([number]))
        asker.server.take(frames.CANCEL, bytes([number]), b"")
        await turns()
    assert asker.errors() == [Cancelled.code] * 10
    assert asker.server.stats()["open"] == 0
    asker.ask(b"last")
    await turns()
    assert asker.sent[-1][:2] == (frames.REPLY, b"last")


async def test_closing_answers_what_had_not_begun(asker: Asker) -> None:
    asker.ask(b"a")
    await asker.server.close()
    assert asker.errors() == [Cancelled.code]
    assert asker.server.stats()["open"] == 0


async def test_a_request_under_the_id_of_one_that_is_worked_on_is_refused_and_counted(asker: Asker) -> None:
    asker.ask(b"a")
    asker.ask(b"a")
    await turns()
    assert [kind for kind, _, _ in asker.sent] == [frames.REPLY]
    assert asker.server.stats()["refused"] == 1
