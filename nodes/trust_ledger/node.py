"""The trust ledger as a process: it writes down outcomes, signed, and publishes what they make one believe."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence

import msgspec

from nodes.trust_ledger.config import TrustConfig
from nodes.trust_ledger.group_commit import GroupCommit
from nodes.trust_ledger.ledger import Ledger, Receipt
from nodes.trust_ledger.table import Arms, fold, prune, table
from protocol.errors import BadRequest, SealError
from protocol.messages.trust import Outcome, TableRequest, TrustRecorded, TrustTable, Verified, VerifyRequest
from runtime import config, paths
from runtime.identity import HostIdentity
from runtime.node import Call, Node, run, serve
from runtime.sealing import Sealer

LEDGER_FILE = "trust.sqlite"
PUBLISH_S = 0.2
"""The table is said at most so often."""
REFRESH_S = 3600.0
"""And said anew so often without an outcome: belief fades by itself."""


class TrustLedger(Node):
    """Keeps signed outcomes, and what they make one believe of each level."""

    class Params(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
        config: str = ""
        """Path of the configuration; empty: the one that ships."""

    _started = False

    async def start(self) -> None:
        self._config = config.load(self.params.config or paths.shipped("configs/trust.yaml"), TrustConfig)
        self._ledger = Ledger(
            self.state_dir / LEDGER_FILE, HostIdentity.load(self.state_dir), Sealer.load(self.state_dir, "trust")
        )
        self._entries = self._repeated = self._differing = self._unreadable = 0
        self._arms: Arms = {}
        await asyncio.to_thread(self._rebuild)
        problems = await asyncio.to_thread(self._ledger.verify)
        self._writer: GroupCommit[Outcome, Receipt] = GroupCommit(self._append, self._count_in)
        self._changed = asyncio.Event()
        self.stats_record("ledger", self._counters)
        self.spawn(self._writer.run())
        self.spawn(self._keep_publishing())
        self._publish_table()
        self._started = True
        if problems:
            for problem in problems[:20]:
                self.log.error("ledger.tampered", entry=problem.number, kind=problem.kind, problem=problem.message)
            self.health("degraded", f"the ledger is not as it was written: {problems[0].message}; `sage trust verify`")

    async def stop(self) -> None:
        if self._started:
            await self._writer.drain()
            self._ledger.close()

    @serve(Outcome, concurrency=256, queue=4096)
    async def record(self, outcome: Outcome, call: Call) -> TrustRecorded:
        """Write an outcome down. Answered once it is on the disk; told twice, answered with the first entry."""
        _refuse_senseless(outcome)
        receipt = await self._writer.put(outcome)
        recorded = TrustRecorded(
            exchange=outcome.exchange, level=outcome.level, entry=receipt.number, repeated=receipt.repeated
        )
        if receipt.differs:
            self.log.warning("outcome.differs", exchange=outcome.exchange, level=outcome.level, entry=receipt.number)
        if not receipt.repeated:
            self.publish(recorded, trace=call.trace)
        return recorded

    @serve(TableRequest)
    async def show(self, _request: TableRequest, _call: Call) -> TrustTable:
        return self._table()

    @serve(VerifyRequest, concurrency=1)
    async def verify(self, _request: VerifyRequest, _call: Call) -> Verified:
        findings = await asyncio.to_thread(self._ledger.verify)
        return Verified(ok=not findings, entries=self._entries, problems=[finding.message for finding in findings])

    def _append(self, outcomes: Sequence[Outcome]) -> list[Receipt]:
        return self._ledger.append(outcomes, self.clock.wall_ns())

    def _count_in(self, outcomes: Sequence[Outcome], receipts: Sequence[Receipt]) -> None:
        """What is new on the disk counts from now on."""
        for outcome, receipt in zip(outcomes, receipts, strict=True):
            if receipt.repeated:
                self._repeated += 1
                self._differing += receipt.differs
            else:
                self._arms = fold(self._arms, outcome, receipt.wall_ns / 1e9, self._config)
                self._entries = receipt.number
        self._changed.set()

    def _rebuild(self) -> None:
        """What the ledger makes one believe, from its first entry on."""
        for entry in self._ledger.entries():
            self._entries = entry.number
            try:
                outcome = self._ledger.outcome(entry)
            except (SealError, msgspec.DecodeError) as error:
                self._unreadable += 1
                self.log.warning("entry.unreadable", entry=entry.number, error=str(error))
                continue
            self._arms = fold(self._arms, outcome, entry.wall_ns / 1e9, self._config)
        self._arms = prune(self._arms, self.clock.wall_ns() / 1e9, self._config)

    async def _keep_publishing(self) -> None:
        while True:
            try:
                async with asyncio.timeout(REFRESH_S):
                    await self._changed.wait()
            except TimeoutError:
                self._arms = prune(self._arms, self.clock.wall_ns() / 1e9, self._config)
            self._changed.clear()
            self._publish_table()
            await asyncio.sleep(PUBLISH_S)

    def _publish_table(self) -> None:
        self.publish(self._table())

    def _table(self) -> TrustTable:
        return table(self._arms, self._entries, self.clock.wall_ns() / 1e9, self._config)

    def _counters(self) -> dict[str, float]:
        return {
            "entries": self._entries,
            "repeated": self._repeated,
            "differing": self._differing,
            "unreadable": self._unreadable,
            **self._writer.stats(),
        }


def _refuse_senseless(outcome: Outcome) -> None:
    if not 0.0 <= outcome.score <= 1.0:
        raise BadRequest(f"a score lies between 0 and 1, not at {outcome.score}", place="trust/record: score")
    for field in ("confidence", "seconds", "cpu_s", "atp"):
        value = getattr(outcome, field)
        if not (math.isfinite(value) and value >= 0.0):
            raise BadRequest(f"{field} is a number from 0 on, not {value}", place=f"trust/record: {field}")
    for field in ("exchange", "level", "context"):
        if not getattr(outcome, field):
            raise BadRequest(f"{field} is empty", place=f"trust/record: {field}")


if __name__ == "__main__":
    run(TrustLedger)
