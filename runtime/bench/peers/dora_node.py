"""dora-rs: two Python nodes of one dataflow. `dora run` starts this file once per node.

The node's role is its id in the dataflow, which dora puts into its configuration.
"""

from __future__ import annotations

import sys
import threading
import time
from typing import Any

import msgspec
from dora import Node  # type: ignore[import-not-found]

from runtime.bench.peers.control import Control, leave
from runtime.bench.peers.pacing import Tally, send_all
from runtime.bench.peers.sample import MAKERS, TYPES


def source() -> None:
    node = Node()
    encode = msgspec.msgpack.Encoder().encode

    def send(*, round: int, kind: str, count: int, rate: float) -> dict[str, Any]:  # noqa: A002
        make = MAKERS[kind]
        return send_all(
            lambda number: node.send_output(kind, encode(make(round, number, time.monotonic_ns()))), count, rate
        )

    threading.Thread(target=_watch, args=(node,), daemon=True).start()
    Control("dora.source", {"send": send}).serve()
    leave()


def _watch(node: Any) -> None:
    """Leave when dora says so: this node has no inputs to hear it on otherwise."""
    for event in node:
        if event["type"] == "STOP":
            leave()


def reader() -> None:
    node = Node()
    tally = Tally()
    Control("dora.reader", tally.commands()).serve_beside(leave)
    decoders = {kind: msgspec.msgpack.Decoder(type_) for kind, type_ in TYPES.items()}
    for event in node:
        if event["type"] == "INPUT":
            body = decoders[event["id"]].decode(memoryview(event["value"].to_numpy(zero_copy_only=True)))
            tally.note(body.round, body.sent_ns)


if __name__ == "__main__":
    {"source": source, "reader": reader}[sys.argv[1]]()
