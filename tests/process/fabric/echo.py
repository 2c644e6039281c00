"""A node that does whatever the tests need of one."""

from __future__ import annotations

import asyncio
import os
import signal

import msgspec

from protocol.topics import Queue
from runtime.node import Call, Event, Fatal, Node, on, run, serve
from tests.process.fabric.messages import Break, Count, Number, Observed, Once, Say, Seen, Slow, Weather


class Params(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    degrees: int | None = None
    hears: bool = False


class Echo(Node):
    """Says, counts, waits and breaks as it is asked."""

    Params = Params

    async def start(self) -> None:
        self.cancelled = self.computed = self.parts_sent = 0
        self.numbers: list[int] = []
        self.weather: list[int] = []
        self.stats_record("heard", lambda: {"numbers": len(self.numbers)})
        if self.params.degrees is not None:
            self.publish(Weather(degrees=self.params.degrees))

    async def stop(self) -> None:
        del self.numbers  # as others close a store: from now on it cannot be counted

    @on(Number)
    async def number(self, event: Event[Number]) -> None:
        if self.params.hears:
            self.numbers.append(event.body.n)

    @on(Weather, delivery=Queue(1000))
    async def hear_weather(self, event: Event[Weather]) -> None:
        if self.params.hears:
            self.weather.append(event.body.degrees)

    @serve(Say)
    async def say(self, request: Say, call: Call) -> Seen:
        for n in range(request.count):
            self.publish(Number(n=n), trace=call.trace)
        if request.degrees is not None:
            self.publish(Weather(degrees=request.degrees))
        return Seen(value=request.count)

    @serve(Count)
    async def count(self, request: Count, call: Call) -> Seen:
        for n in range(request.upto):
            await call.part(Number(n=n))
            self.parts_sent += 1
        return Seen(value=request.upto)

    @serve(Slow, concurrency=2, queue=1)
    async def slow(self, request: Slow, call: Call) -> Seen:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        return Seen()

    @serve(Once)
    async def once(self, request: Once, call: Call) -> Seen:
        self.computed += 1
        return Seen(value=self.computed)

    @serve(Break)
    async def break_(self, request: Break, call: Call) -> Seen:
        match request.how:
            case "raise":
                raise RuntimeError("broken on purpose")
            case "die":
                os.kill(os.getpid(), signal.SIGKILL)
                await asyncio.Event().wait()
            case "fatal":
                self.spawn(self._give_up())
        return Seen()

    async def _give_up(self) -> None:
        raise Fatal("cannot go on")

    @serve(Observed)
    async def observed(self, request: Observed, call: Call) -> Seen:
        return Seen(
            cancelled=self.cancelled,
            parts_sent=self.parts_sent,
            numbers=list(self.numbers),
            weather=list(self.weather),
        )


if __name__ == "__main__":
    run(Echo)
