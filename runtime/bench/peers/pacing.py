"""Sending at a rate, and counting what arrives."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

_TICK_NS = 1_000_000
_UNPACED_BURST = 64


def bursts(count: int, rate: float) -> Iterator[int]:
    """How many messages to send now, again and again until `count` are sent; sleeps in between to keep the rate.

    Up to 1000 a second they go one by one, above that in a burst every millisecond. Rate 0 means without a pause.
    """
    if rate <= 0:
        for sent in range(0, count, _UNPACED_BURST):
            yield min(_UNPACED_BURST, count - sent)
        return
    tick_ns = max(_TICK_NS, round(1e9 / rate))
    began = time.monotonic_ns() + tick_ns
    sent = 0
    tick = 0
    while sent < count:
        _sleep_until(began + tick * tick_ns)
        due = min(count, round((time.monotonic_ns() - began) * rate / 1e9) + 1)
        if due > sent:
            yield due - sent
            sent = due
        tick += 1


def _sleep_until(moment_ns: int) -> None:
    left = moment_ns - time.monotonic_ns()
    if left > 0:
        time.sleep(left / 1e9)


def send_all(send: Callable[[int], None], count: int, rate: float) -> dict[str, Any]:
    """Call `send(number)` for numbers 1..count at the rate; when it began and ended."""
    first_ns = time.monotonic_ns()
    number = 0
    for burst in bursts(count, rate):
        for _ in range(burst):
            number += 1
            send(number)
    return {"sent": number, "first_ns": first_ns, "last_ns": time.monotonic_ns()}


class Tally:
    """What arrived of the current round. Written by one thread, read by another."""

    def __init__(self) -> None:
        self._round = -1
        self._last_ns = 0
        self._latencies: list[int] = []

    def note(self, round_: int, sent_ns: int) -> None:
        """A message of a round has been decoded and is in the reader's hands."""
        now = time.monotonic_ns()
        if round_ != self._round:
            self._round = round_
            self._latencies = []
        self._latencies.append(now - sent_ns)
        self._last_ns = now

    def show(self, round: int) -> dict[str, Any]:  # noqa: A002 - the name of the command's argument
        """How many messages of the round have arrived, and when the last one did."""
        if round != self._round:
            return {"received": 0, "last_ns": 0}
        return {"received": len(self._latencies), "last_ns": self._last_ns}

    def latencies(self, round: int) -> dict[str, Any]:  # noqa: A002
        """Nanoseconds from before encoding to after decoding, message by message."""
        return {"latencies": self._latencies if round == self._round else []}

    def commands(self) -> dict[str, Callable[..., dict[str, Any]]]:
        return {"tally": self.show, "latencies": self.latencies}
