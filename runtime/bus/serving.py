"""The answering side of calls: bounded, cancellable, each request answered exactly once."""

from __future__ import annotations

import asyncio
import traceback
from collections import Counter, OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import msgspec
import structlog

from protocol.codec import decode, decode_body, encode_body
from protocol.errors import (
    BadRequest,
    Cancelled,
    DeadlineExceeded,
    HandlerFailed,
    Malformed,
    MessageError,
    Overloaded,
    Oversized,
    SageError,
    UnknownService,
)
from protocol.header import BODY_LIMIT, Envelope
from protocol.services import Service
from runtime.bus import frames
from runtime.bus.transport import Frames
from runtime.clock import Clock

_REMEMBERED = 1024
"""Finished calls whose answers are kept for a repetition under the same idempotency key."""

_MESSAGE_LIMIT = 4000
_TRACE_LIMIT = 16_000


class Call:
    """A request while it is being answered."""

    def __init__(self, envelope: Envelope, send_part: Callable[[bytes], None], clock: Clock) -> None:
        self.header = envelope
        self.trace = envelope.trace
        self.caller = envelope.source
        self.cancelled = False
        """Set when nobody waits any more. Safe to read from another thread."""
        self._send_part = send_part
        self._clock = clock
        self._credit = frames.INITIAL_CREDIT
        self._more_credit = asyncio.Event()

    def remaining(self) -> float:
        """Seconds until the deadline; negative after it."""
        deadline = self.header.deadline_ns
        return float("inf") if deadline is None else (deadline - self._clock.mono_ns()) / 1e9

    async def part(self, body: Any) -> None:
        """Stream a part back. Waits while the caller is behind; raises `Oversized` for a part over the limit."""
        while self._credit <= 0:
            self._more_credit.clear()
            await self._more_credit.wait()
        self._credit -= 1
        self._send_part(_inline(body, self.header.name))

    def grant(self, count: int) -> None:
        self._credit += count
        self._more_credit.set()


def _inline(body: Any, place: str) -> bytes:
    payload = encode_body(body)
    if len(payload) > BODY_LIMIT:
        raise Oversized(
            f"an answer of {len(payload)} bytes is over the limit of {BODY_LIMIT} bytes for inline bodies",
            place=place,
            remedy="store it with `bulk.put` and send the reference",
        )
    return payload


CallHandler = Callable[[Any, Call], Awaitable[Any]]


@dataclass(frozen=True)
class Served:
    """A service with its handler and its bounds."""

    service: Service
    handler: CallHandler
    concurrency: int = 8
    """Requests worked on at once."""
    queue: int = 64
    """Requests that may wait; the next is refused as `Overloaded`."""


class _Lane:
    """The requests of one service: some worked on, some waiting."""

    def __init__(self, served: Served) -> None:
        self.served = served
        self.slots = asyncio.Semaphore(served.concurrency)
        self.present = 0

    @property
    def full(self) -> bool:
        return self.present >= self.served.concurrency + self.served.queue


class Server:
    """Answers the requests of the services it was given."""

    def __init__(self, send: Callable[[Frames], bool], clock: Clock, log: structlog.stdlib.BoundLogger) -> None:
        self._send = send
        self._clock = clock
        self._log = log
        self._lanes: dict[str, _Lane] = {}
        self._running: dict[bytes, tuple[asyncio.Task[None], Call]] = {}
        self._remembered: OrderedDict[tuple[str, str], asyncio.Future[bytes]] = OrderedDict()
        self._gate = asyncio.Event()
        self._stopping = False
        self.ended: Counter[str] = Counter()
        """Outcome (`ok` or error code) → requests."""
        self.refused = 0
        """Frames of the call plane that are none, and requests under the id of one that is being answered."""

    def add(self, served: Served) -> None:
        self._lanes[served.service.name] = _Lane(served)

    @property
    def services(self) -> list[str]:
        return sorted(self._lanes)

    def open(self) -> None:
        """The node is ready: let requests through that have waited for it."""
        self._gate.set()

    def take(self, kind: bytes, ident: bytes, payload: bytes) -> None:
        """A request, credit or cancel as it came from the hub."""
        if kind == frames.REQUEST:
            self._accept(ident, payload)
            return
        running = self._running.get(ident)
        if running is None:
            return
        task, call = running
        if kind == frames.CANCEL:
            call.cancelled = True
            task.cancel()
        else:
            call.grant(_credit_of(payload))

    def refuse(self) -> None:
        """Refuse what comes from now on; what runs goes on."""
        self._stopping = True

    async def close(self) -> None:
        """Refuse what comes, cancel what runs, and wait until it has ended."""
        self.refuse()
        tasks = [task for task, _ in self._running.values()]
        for task, call in list(self._running.values()):
            call.cancelled = True
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def stats(self) -> dict[str, float]:
        counts: dict[str, float] = {"open": len(self._running), "refused": self.refused}
        counts.update({f"ended.{outcome}": count for outcome, count in self.ended.items()})
        return counts

    def _accept(self, ident: bytes, payload: bytes) -> None:
        if ident in self._running:
            self.refused += 1
            return
        try:
            envelope = decode(payload)
            lane = self._lane(envelope)
            request = decode_body(envelope, lane.served.service.request)
        except MessageError as error:
            refusal = BadRequest(error.message, place=error.place) if isinstance(error, Malformed) else error
            self._end(ident, refusal)
            return
        except SageError as error:
            self._end(ident, error)
            return
        call = Call(envelope, lambda part: self._reply(frames.PART, ident, part), self._clock)
        lane.present += 1
        task = asyncio.get_running_loop().create_task(self._answer(ident, lane, request, call))
        self._running[ident] = (task, call)
        task.add_done_callback(lambda ended: self._left(ident, lane, call, ended))

    def _left(self, ident: bytes, lane: _Lane, call: Call, task: asyncio.Task[None]) -> None:
        """Give its place back. A task that is cancelled before its first step never runs: it is answered here."""
        lane.present -= 1
        del self._running[ident]
        if task.cancelled():
            self._end(ident, _given_up(call))

    def _lane(self, envelope: Envelope) -> _Lane:
        lane = self._lanes.get(envelope.name)
        if lane is None:
            raise UnknownService(
                f"this node does not serve {envelope.name!r}",
                remedy=f"it serves {', '.join(self.services) or 'nothing'}",
            )
        if self._stopping:
            raise Overloaded("this node is stopping", place=envelope.name)
        if lane.full:
            raise Overloaded(
                f"{lane.present} requests are being worked on or waiting, the limit is "
                f"{lane.served.concurrency} + {lane.served.queue}",
                place=envelope.name,
                remedy="ask again later, or raise the service's limits",
            )
        return lane

    async def _answer(self, ident: bytes, lane: _Lane, request: Any, call: Call) -> None:
        try:
            async with asyncio.timeout(max(call.remaining(), 0) if call.header.deadline_ns else None):
                await self._gate.wait()
                async with lane.slots:
                    payload = await self._once(lane.served, request, call)
            self.ended["ok"] += 1
            self._reply(frames.REPLY, ident, payload)
        except TimeoutError as error:
            call.cancelled = True
            self._end(ident, _out_of_time(error, call))
        except asyncio.CancelledError:
            self._end(ident, _given_up(call))
        except SageError as error:
            self._end(ident, error)
        except Exception as error:
            self._log.exception("handler.failed", service=call.header.name, caller=call.caller)
            self._end(ident, _handler_failed(error, call.header.name))

    async def _once(self, served: Served, request: Any, call: Call) -> bytes:
        """The handler's answer, computed once per idempotency key: a repetition joins or gets the first one's."""
        key = call.header.idempotency_key
        if key is None:
            return _inline(await served.handler(request, call), served.service.name)
        known = self._remembered.get((served.service.name, key))
        if known is not None:
            return await asyncio.shield(known)
        future: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._remember((served.service.name, key), future)
        try:
            payload = _inline(await served.handler(request, call), served.service.name)
        except BaseException as error:
            self._remembered.pop((served.service.name, key), None)
            future.set_exception(error if isinstance(error, Exception) else Cancelled("the first call was given up"))
            future.exception()
            raise
        future.set_result(payload)
        return payload

    def _remember(self, key: tuple[str, str], future: asyncio.Future[bytes]) -> None:
        self._remembered[key] = future
        while len(self._remembered) > _REMEMBERED and next(iter(self._remembered.values())).done():
            self._remembered.popitem(last=False)

    def _end(self, ident: bytes, error: SageError) -> None:
        self.ended[error.code] += 1
        body = error.to_body()
        try:
            payload = encode_body(body)
        except (TypeError, ValueError):
            payload = encode_body(msgspec.structs.replace(body, detail={"repr": repr(body.detail)[:_MESSAGE_LIMIT]}))
        self._reply(frames.ERROR, ident, payload)

    def _reply(self, kind: bytes, ident: bytes, payload: bytes) -> None:
        if not self._send([kind, b"", ident, payload]):
            self.ended["unsent"] += 1


def _given_up(call: Call) -> Cancelled:
    return Cancelled("the call was given up", place=call.header.name)


def _out_of_time(error: TimeoutError, call: Call) -> SageError:
    """The call's own deadline, or a time limit inside the handler that passed before it."""
    if call.remaining() > 0:
        return _handler_failed(error, call.header.name)
    return DeadlineExceeded("the deadline passed while it was worked on", place=call.header.name)


def _handler_failed(error: Exception, place: str) -> HandlerFailed:
    trace = "".join(traceback.format_exception(error))
    return HandlerFailed(
        f"{type(error).__name__}: {error}"[:_MESSAGE_LIMIT], place=place, detail={"trace": trace[-_TRACE_LIMIT:]}
    )


def _credit_of(payload: bytes) -> int:
    try:
        return max(0, min(msgspec.msgpack.decode(payload, type=int), 1 << 16))
    except msgspec.DecodeError:
        return 0
