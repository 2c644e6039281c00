"""The floor of the design: raw pyzmq and msgspec through `zmq.proxy`, without numbering, checks, queues or handlers.

`python -m runtime.bench.peers.floor ROLE DIRECTORY`, where ROLE is proxy, source, reader, async-reader or responder.
"""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from typing import Any

import msgspec
import zmq
import zmq.asyncio

from runtime.bench.peers.control import Control, leave
from runtime.bench.peers.pacing import Tally, send_all
from runtime.bench.peers.sample import MAKERS, TYPES

_HIGH_WATER = 20_000
_CALL_DEADLINE_S = 5.0


class _Paths:
    def __init__(self, directory: str) -> None:
        self.events_in = f"ipc://{directory}/floor-in"
        self.events_out = f"ipc://{directory}/floor-out"
        self.asks = f"ipc://{directory}/floor-asks"
        self.answers = f"ipc://{directory}/floor-answers"


def proxy(paths: _Paths) -> None:
    """Two proxies in one process: events, and calls to one responder."""
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    pairs = (
        (zmq.XSUB, paths.events_in, zmq.XPUB, paths.events_out),
        (zmq.ROUTER, paths.asks, zmq.DEALER, paths.answers),
    )
    for front_kind, front_path, back_kind, back_path in pairs:
        front, back = context.socket(front_kind), context.socket(back_kind)
        for end, path in ((front, front_path), (back, back_path)):
            end.set_hwm(_HIGH_WATER)
            end.bind(path)
        threading.Thread(target=zmq.proxy, args=(front, back), daemon=True).start()
    Control("floor.proxy", {}).serve()
    leave()


def source(paths: _Paths) -> None:
    """Sends events without an event loop; asks calls with one."""
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    events = context.socket(zmq.PUB)
    events.set_hwm(_HIGH_WATER)
    events.connect(paths.events_in)
    encode = msgspec.msgpack.Encoder().encode

    def send(*, round: int, kind: str, topic: str, count: int, rate: float) -> dict[str, Any]:  # noqa: A002
        make, wire = MAKERS[kind], f"{topic}/{kind}/".encode()

        def send_one(number: int) -> None:
            events.send_multipart([wire, encode(make(round, number, time.monotonic_ns()))], zmq.NOBLOCK)

        return send_all(send_one, count, rate)

    def call(*, count: int, size: int) -> dict[str, Any]:
        return {"latencies": asyncio.run(_ask(paths, count, bytes(size)))}

    Control("floor.source", {"send": send, "call": call}).serve()
    leave()


async def _ask(paths: _Paths, count: int, payload: bytes) -> list[int]:
    """Nanoseconds of `count` round trips, one after another."""
    context = zmq.asyncio.Context()
    asks = context.socket(zmq.DEALER)
    asks.connect(paths.asks)
    latencies = []
    encode, decode = msgspec.msgpack.Encoder().encode, msgspec.msgpack.Decoder().decode
    for _ in range(count):
        began = time.monotonic_ns()
        await asks.send(encode({"payload": payload}))
        decode(await asyncio.wait_for(asks.recv(), _CALL_DEADLINE_S))
        latencies.append(time.monotonic_ns() - began)
    context.destroy(linger=0)
    return latencies


def reader(paths: _Paths) -> None:
    """Reads in a blocking loop."""
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    events = context.socket(zmq.SUB)
    _subscribe(events, paths, "blocking")
    tally = Tally()
    Control("floor.reader", tally.commands()).serve_beside(leave)
    decoders = _decoders("blocking")
    while True:
        wire, frame = events.recv_multipart()
        body = decoders[wire].decode(frame)
        tally.note(body.round, body.sent_ns)


def async_reader(paths: _Paths) -> None:
    """Reads under asyncio, as a process must that also does something else."""
    asyncio.run(_read(paths))


async def _read(paths: _Paths) -> None:
    context = zmq.asyncio.Context()
    events = context.socket(zmq.SUB)
    _subscribe(events, paths, "asyncio")
    tally = Tally()
    Control("floor.async_reader", tally.commands()).serve_beside(leave)
    decoders = _decoders("asyncio")
    while True:
        wire, frame = await events.recv_multipart()
        body = decoders[wire].decode(frame)
        tally.note(body.round, body.sent_ns)


def responder(paths: _Paths) -> None:
    """Answers calls under asyncio with what it was sent."""
    asyncio.run(_respond(paths))


async def _respond(paths: _Paths) -> None:
    context = zmq.asyncio.Context()
    answers = context.socket(zmq.DEALER)
    answers.connect(paths.answers)
    Control("floor.responder", {}).serve_beside(leave)
    encode, decode = msgspec.msgpack.Encoder().encode, msgspec.msgpack.Decoder().decode
    while True:
        *route, request = await answers.recv_multipart()
        await answers.send_multipart([*route, encode(decode(request))])


def _subscribe(events: Any, paths: _Paths, topic: str) -> None:
    events.set_hwm(_HIGH_WATER)
    events.subscribe(f"{topic}/")
    events.connect(paths.events_out)


def _decoders(topic: str) -> dict[bytes, msgspec.msgpack.Decoder[Any]]:
    return {f"{topic}/{kind}/".encode(): msgspec.msgpack.Decoder(type_) for kind, type_ in TYPES.items()}


_ROLES = {
    "proxy": proxy,
    "source": source,
    "reader": reader,
    "async-reader": async_reader,
    "responder": responder,
}

if __name__ == "__main__":
    _ROLES[sys.argv[1]](_Paths(sys.argv[2]))
