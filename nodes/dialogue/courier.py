"""Brings what is in the outbox to its destinations: each apart from the others, in order, as often as it takes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any

import structlog

from nodes.dialogue.deliveries import following
from nodes.dialogue.outbox import Outbox, Pending
from protocol.errors import BadRequest, HandlerFailed, MessageError, RemoteError, SageError, UnknownService

Call = Callable[[str, Any, str], Awaitable[Any]]
"""(destination, request, idempotency key) → reply; raises a `SageError`."""
Pause = Callable[[asyncio.Event, float], Awaitable[None]]
"""Return when the event is set, or after so many seconds."""

REFUSALS = (BadRequest, UnknownService, MessageError)
"""Errors that say the request itself will never be taken."""
FAILURES = (HandlerFailed, RemoteError)
"""Errors of the destination's own, which may pass or may be this request's doing."""
PATIENCE = 5
"""Attempts at one request that fails so, before it is set aside for those behind it."""
FIRST_PAUSE_S = 0.25
LONGEST_PAUSE_S = 30.0


async def wait_at_most(event: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return


class Courier:
    def __init__(
        self, outbox: Outbox, call: Call, log: structlog.stdlib.BoundLogger, pause: Pause = wait_at_most
    ) -> None:
        self._outbox = outbox
        self._call = call
        self._log = log
        self._pause = pause
        self._wake: dict[str, asyncio.Event] = {}

    def rounds(self, destinations: Sequence[str]) -> list[Coroutine[Any, Any, None]]:
        """One endless piece of work for each destination."""
        self._wake = {destination: asyncio.Event() for destination in destinations}
        return [self._serve(destination) for destination in destinations]

    def poke(self, destination: str = "") -> None:
        """Something was written down, or the destination is back: look at once. Empty: all of them."""
        for name, event in self._wake.items():
            if destination in ("", name):
                event.set()

    async def _serve(self, destination: str) -> None:
        wake = self._wake[destination]
        failures = 0
        while True:
            wake.clear()
            try:
                pending = await asyncio.to_thread(self._outbox.first, destination)
                if pending is None:
                    await wake.wait()
                    continue
                gone = await self._deliver(pending)
            except Exception:  # A full disk, perhaps. What is written down stays so, and its turn comes again.
                self._log.exception("outbox.failed", destination=destination)
                gone = False
            failures = 0 if gone else failures + 1
            if failures:
                await self._pause(wake, min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2.0 ** min(failures - 1, 16)))

    async def _deliver(self, pending: Pending) -> bool:
        """Try once. Whether it is out of the way of those behind it."""
        delivery = pending.delivery
        try:
            reply = await self._call(delivery.destination, delivery.request, delivery.key)
        except SageError as error:
            return await self._failed(pending, error)
        await asyncio.to_thread(self._outbox.strike, pending, following(delivery, reply))
        if delivery.then is not None:
            self.poke(delivery.then.destination)
        return True

    async def _failed(self, pending: Pending, error: SageError) -> bool:
        delivery = pending.delivery
        if isinstance(error, REFUSALS) or (isinstance(error, FAILURES) and pending.attempts + 1 >= PATIENCE):
            self._log.error("outbox.refused", destination=delivery.destination, key=delivery.key, error=str(error))
            await asyncio.to_thread(self._outbox.refuse, pending, f"{error.code}: {error}")
            return True
        log = self._log.info if pending.attempts else self._log.warning
        log("outbox.postponed", destination=delivery.destination, key=delivery.key, error=str(error))
        await asyncio.to_thread(self._outbox.count_attempt, pending)
        return False
