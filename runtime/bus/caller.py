"""The asking side of calls: every call ends, by an answer, an error, or its deadline."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable
from typing import Any, Generic, TypeVar

import msgspec

from protocol.codec import decode_as
from protocol.errors import (
    BadRequest,
    CallError,
    DeadlineExceeded,
    ErrorBody,
    HubLost,
    Malformed,
    SageError,
    from_body,
)
from protocol.services import Service
from runtime.bus import frames
from runtime.bus.transport import Frames

R = TypeVar("R")

LONGEST_S = 1e8
"""Three years. A call that waits for ever has no deadline."""

_CREDIT_STEP = frames.INITIAL_CREDIT // 2


class Stream(Generic[R]):
    """An answer while it comes: iterate over the parts, then read `reply`.

    Used by `async with`; leaving it before the reply has come cancels the call.
    """

    def __init__(self, ident: bytes, target: str, service: Service, give_credit: Callable[[int], None]) -> None:
        self.ident = ident
        self.target = target
        self.service = service
        self._give_credit = give_credit
        self._parts: deque[Any] = deque()
        self._wake = asyncio.Event()
        self._reply: R | None = None
        self._error: SageError | None = None
        self._taken = 0
        self.done = False

    @property
    def reply(self) -> R:
        """The reply. Raises `RuntimeError` before the parts have all been read."""
        if self._error is not None:
            raise self._error
        if self._reply is None:
            raise RuntimeError(f"{self.service.name}: the reply comes after the last part")
        return self._reply

    async def __aiter__(self) -> AsyncIterator[Any]:
        while True:
            while self._parts:
                part = self._parts.popleft()
                self._count_taken()
                yield part
            if self._error is not None:
                raise self._error
            if self.done:
                return
            self._wake.clear()
            await self._wake.wait()

    async def finish(self) -> R:
        """Read past whatever parts are left; the reply."""
        async for _ in self:
            pass
        return self.reply

    def put_part(self, body: Any) -> None:
        self._parts.append(body)
        self._wake.set()

    def end(self, reply: R | None, error: SageError | None = None) -> None:
        if not self.done:
            self.done = True
            self._reply, self._error = reply, error
            self._wake.set()

    def _count_taken(self) -> None:
        self._taken += 1
        if self._taken >= _CREDIT_STEP:
            self._give_credit(self._taken)
            self._taken = 0


class Caller:
    """All calls that this process has under way."""

    def __init__(self, send: Callable[[Frames], bool]) -> None:
        self._send = send
        self._open: dict[bytes, Stream[Any]] = {}
        self._timers: dict[bytes, asyncio.TimerHandle] = {}
        self.started = 0
        self.ended: Counter[str] = Counter()
        """Outcome (`ok` or error code) → calls."""
        self.strays = 0
        """Answers to calls that had ended already."""

    def begin(self, target: str, service: Service, ident: bytes, envelope: bytes, deadline_s: float) -> Stream[Any]:
        """Send a request. Raises `HubLost` where there is no hub."""
        stream: Stream[Any] = Stream(ident, target, service, lambda count: self._credit(ident, count))
        if not self._send([frames.REQUEST, target.encode(), ident, envelope]):
            self.ended[HubLost.code] += 1
            raise hub_lost(target, service.name)
        self.started += 1
        self._open[ident] = stream
        loop = asyncio.get_running_loop()
        self._timers[ident] = loop.call_later(deadline_s, self._expire, ident, deadline_s)
        return stream

    def take(self, kind: bytes, ident: bytes, payload: bytes) -> None:
        """A part, reply or error as it came from the hub."""
        stream = self._open.get(ident)
        if stream is None:
            self.strays += 1
            return
        try:
            if kind == frames.PART:
                stream.put_part(decode_as(payload, stream.service.part or dict, place=stream.service.name))
            elif kind == frames.REPLY:
                self._close(ident, decode_as(payload, stream.service.reply, place=stream.service.name), None)
            else:
                self._close(ident, None, from_body(decode_as(payload, ErrorBody, place=stream.service.name)))
        except Malformed as error:
            self.cancel(ident, error)

    def cancel(self, ident: bytes, error: SageError) -> None:
        """Give a call up: its reader gets `error`, the callee is told."""
        if ident in self._open:
            self._send([frames.CANCEL, b"", ident, b""])
            self._close(ident, None, error)

    def fail_all(self, error_for: Callable[[str, str], SageError]) -> None:
        """The hub is gone, and with it what it knew of these calls."""
        for ident, stream in list(self._open.items()):
            self._close(ident, None, error_for(stream.target, stream.service.name))

    def stats(self) -> dict[str, float]:
        counts: dict[str, float] = {"started": self.started, "open": len(self._open), "strays": self.strays}
        counts.update({f"ended.{outcome}": count for outcome, count in self.ended.items()})
        return counts

    def _expire(self, ident: bytes, deadline_s: float) -> None:
        stream = self._open[ident]
        self.cancel(
            ident,
            DeadlineExceeded(
                f"{stream.target} did not answer {stream.service.name} within {deadline_s:g} s", place=stream.target
            ),
        )

    def _close(self, ident: bytes, reply: Any, error: SageError | None) -> None:
        stream = self._open.pop(ident)
        self._timers.pop(ident).cancel()
        self.ended[error.code if error else "ok"] += 1
        stream.end(reply, error)

    def _credit(self, ident: bytes, count: int) -> None:
        if ident in self._open:
            self._send([frames.CREDIT, b"", ident, msgspec.msgpack.encode(count)])


def check_deadline(deadline_s: float, service: str) -> None:
    """Raises `BadRequest` for what is no deadline: nothing in the future, or so far off that no clock counts it."""
    if not 0 < deadline_s <= LONGEST_S:
        raise BadRequest(
            f"a call needs a deadline in the future, within {LONGEST_S:g} s, not {deadline_s:g} s", place=service
        )


def hub_lost(target: str, service: str) -> CallError:
    return HubLost(
        f"the hub went away, {service} was not answered",
        place=target,
        remedy="see `sage status`; the supervisor restarts the hub",
    )
