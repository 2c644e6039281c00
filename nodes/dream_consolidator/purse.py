"""A dream's dealings with the energy account: held before a stretch begins, settled while it lasts, given back after.

What the account does not bear is not dreamt. Where the controller does not say, nothing is held, and that is noted;
what a stretch costs is owed all the same, and claimed until it is booked.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import structlog

from nodes.dream_consolidator.bill import Bill
from nodes.dream_consolidator.charges import Charges
from nodes.dream_consolidator.settings import Dreaming
from nodes.model_worker.effort import Gauge, Mark
from protocol.errors import BadRequest, SageError
from protocol.messages.metabolism import Energy, Reserve, Reserved, Settle, Settled
from runtime import power
from runtime.power import Meter

MOST_OWING = 64
"""Stretches whose costs wait for a controller; past it the oldest is given up, and said."""

Call = Callable[[Reserve | Settle], Awaitable[Any]]
"""Ask the controller. Raises a `SageError`."""


@dataclass(frozen=True)
class Stretch:
    """A part of a dream that is about to run."""

    leg: str
    """Names it; no other has this name."""
    dream: str
    level: str
    device: str
    """Where it trains: `auto`, `cpu` or `cuda`."""


class Purse:
    def __init__(
        self, call: Call, charges: Charges, settings: Dreaming, gauge: Gauge, log: structlog.stdlib.BoundLogger
    ) -> None:
        self._call = call
        self._charges = charges
        self._settings = settings
        self._gauge = gauge
        self._log = log
        self._capacity = 0.0
        self._bills: dict[str, Bill] = {}
        """By stretch; of those before the last, only what was not booked yet."""
        self._under_way: Stretch | None = None
        self._mark: Mark | None = None
        self._lacking = 0.0
        self._turn = asyncio.Lock()
        """Nothing is claimed twice at the same time."""

    @property
    def lacking(self) -> str:
        """Why no dream would begin now; empty where the account may bear one."""
        return f"no energy for it: {self._lacking:.2f} ATP are needed" if self._lacking else ""

    def heard(self, energy: Energy) -> bool:
        """How the account stands. Whether there is now the energy that was lacking."""
        self._capacity = energy.capacity
        self._lacking = min(self._lacking, self._settings.held * self._capacity)
        if not 0 < self._lacking <= energy.atp - energy.reserved:
            return False
        self._lacking = 0.0
        return True

    def stats(self) -> dict[str, float]:
        """Stretches that owe something, and ATP that a dream waits for."""
        return {"owing": len(self._bills), "lacking": self._lacking}

    async def afford(self, stretch: Stretch) -> str:
        """Have energy held for a stretch before it begins; why it may not, empty if it may."""
        async with self._turn:
            bill = Bill(stretch.leg, self._expected(stretch))
            if refused := await self._hold(stretch, bill):
                return refused
            self._owe(bill)
            self._under_way, self._lacking = stretch, 0.0
            self._gauge.use(stretch.device)
            self._mark = self._gauge.begin()
            return ""

    async def charge(self, spent_s: float) -> str:
        """Have booked what the stretch has spent so far, and keep the rest held; why it may not go on."""
        async with self._turn:
            stretch = self._under_way
            if stretch is None:
                return ""
            self._measure(stretch, spent_s)
            await self._settle_all()
            return await self._hold(stretch, self._bills[stretch.leg])

    async def close(self, spent_s: float, *, ended: bool) -> None:
        """The stretch is over: book the rest, and give back what is still held. `ended`: so is the dream."""
        async with self._turn:
            stretch = self._under_way
            if stretch is None:
                return
            self._measure(stretch, spent_s)
            self._gauge.close()
            bill = self._bills[stretch.leg]
            bill.over()
            self._under_way = None
            await self._settle_all()
        try:
            self._charges.add(stretch.dream, stretch.level, bill.charged, ended=ended)
        except OSError as error:
            self._log.warning("dream.charge_not_kept", dream=stretch.dream, atp=bill.charged, error=str(error))

    def charged(self, dream: str) -> float | None:
        """ATP; None where that is not known any more."""
        return self._charges.of(dream)

    def _expected(self, stretch: Stretch) -> float:
        """ATP; of what is more than a full account could bear at once, several stretches are made."""
        atp = self._charges.expected(stretch.dream, stretch.level, self._settings.expected)
        return min(atp, self._settings.held * self._capacity) if self._capacity else atp

    async def _hold(self, stretch: Stretch, bill: Bill) -> str:
        wish = bill.wish()
        try:
            reserved: Reserved = await self._call(wish)
        except SageError as error:
            self._log.warning("dream.nothing_held", leg=stretch.leg, atp=wish.atp, error=str(error))
            return ""
        if reserved.granted:
            return ""
        self._lacking = self._expected(stretch)
        return f"there is no energy for it: {reserved.reason}"

    def _owe(self, bill: Bill) -> None:
        self._bills[bill.leg] = bill
        while len(self._bills) > MOST_OWING:
            self._log.error("dream.unpaid", leg=next(iter(self._bills)))
            del self._bills[next(iter(self._bills))]

    def _measure(self, stretch: Stretch, spent_s: float) -> None:
        assert self._mark is not None
        took, self._mark = self._gauge.since(self._mark), self._gauge.begin()
        self._bills[stretch.leg].spent(spent_s, took.joules, took.source)

    async def _settle_all(self) -> None:
        """Have booked what any stretch owes, those before the last first."""
        for bill in list(self._bills.values()):
            if not await self._settle(bill):
                return
            if self._under_way is None or bill.leg != self._under_way.leg:
                self._bills.pop(bill.leg, None)

    async def _settle(self, bill: Bill) -> bool:
        """Whether all that the bill claims is booked."""
        while (claim := bill.claim()) is not None:
            try:
                settled: Settled = await self._call(claim)
            except BadRequest as error:  # it will never be taken, and must not keep others from being
                self._log.error("dream.refused", ident=claim.ident, cpu_s=claim.cpu_s, error=str(error))
                bill.booked(0.0)
                continue
            except SageError as error:
                self._log.warning("dream.unsettled", leg=bill.leg, cpu_s=claim.cpu_s, error=str(error))
                return False
            bill.booked(settled.atp)
        return True


def sensor(device: str) -> Meter | None:
    """The best sensor for work on a device. `auto` works on a GPU where there is one."""
    if device == "auto":
        return power.sensor("cuda") or power.sensor("cpu")
    return power.sensor(device)
