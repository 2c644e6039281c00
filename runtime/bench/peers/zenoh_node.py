"""Zenoh, peer to peer over a unix socket, nothing leaving the host.

`python -m runtime.bench.peers.zenoh_node source|reader DIRECTORY`
"""

from __future__ import annotations

import json
import sys
import threading
import time
from typing import Any

import msgspec
import zenoh  # type: ignore[import-not-found]

from runtime.bench.peers.control import Control, leave
from runtime.bench.peers.pacing import Tally, send_all
from runtime.bench.peers.sample import MAKERS, TYPES


def _open(directory: str, role: str) -> Any:
    """A session that listens (source) or connects (reader), and looks for nobody else."""
    config = zenoh.Config()
    config.insert_json5("mode", '"peer"')
    config.insert_json5("scouting/multicast/enabled", "false")
    listens, connects = ("listen", "connect") if role == "source" else ("connect", "listen")
    config.insert_json5(f"{listens}/endpoints", json.dumps([f"unixsock-stream/{directory}/zenoh"]))
    config.insert_json5(f"{connects}/endpoints", "[]")
    return zenoh.open(config)


def source(directory: str) -> None:
    session = _open(directory, "source")
    publishers = {
        kind: session.declare_publisher(f"bench/{kind}", congestion_control=zenoh.CongestionControl.BLOCK)
        for kind in MAKERS
    }
    encode = msgspec.msgpack.Encoder().encode

    def send(*, round: int, kind: str, count: int, rate: float) -> dict[str, Any]:  # noqa: A002
        make, put = MAKERS[kind], publishers[kind].put
        return send_all(lambda number: put(encode(make(round, number, time.monotonic_ns()))), count, rate)

    Control("zenoh.source", {"send": send}).serve()
    leave()


def reader(directory: str) -> None:
    """One blocking loop per kind of message, each in its own thread; only one of them is ever busy."""
    session = _open(directory, "reader")
    tally = Tally()
    loops = []
    for kind, type_ in TYPES.items():
        subscriber = session.declare_subscriber(f"bench/{kind}", zenoh.handlers.FifoChannel(20_000))
        loops.append(threading.Thread(target=_read, args=(subscriber, type_, tally), daemon=True))
    for loop in loops:
        loop.start()
    Control("zenoh.reader", tally.commands()).serve()
    leave()


def _read(subscriber: Any, type_: type[Any], tally: Tally) -> None:
    decode = msgspec.msgpack.Decoder(type_).decode
    for received in subscriber:
        body = decode(received.payload.to_bytes())
        tally.note(body.round, body.sent_ns)


if __name__ == "__main__":
    {"source": source, "reader": reader}[sys.argv[1]](sys.argv[2])
