"""The trust ledger as a process: it writes down outcomes, signed, and publishes what they make one believe."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence

import msgspec

from nodes.trust_ledger import answers, audit, noted
from nodes.trust_ledger.batch import OWN, Adopt, Item, Learned
from nodes.trust_ledger.chain import Finding
from nodes.trust_ledger.config import TrustConfig
from nodes.trust_ledger.group_commit import GroupCommit
from nodes.trust_ledger.ledger import LEDGER_FILE, Ledger, Receipt, Telling
from nodes.trust_ledger.table import Arms, fold, prune, table
from protocol.errors import BadRequest, SageError
from protocol.messages.dream import AdapterCurrent
from protocol.messages.hub import Registry
from protocol.messages.trust import (
    EntryExplained,
    ExplainEntry,
    Identities,
    IdentitiesRequest,
    Introduce,
    Judge,
    Outcome,
    Revoke,
    TableRequest,
    Tensors,
    TensorsRequest,
    TrustRecorded,
    TrustTable,
    Verified,
    VerifyRequest,
    Witness,
    Written,
)
from runtime import config, paths
from runtime.bus.events import Event
from runtime.identity import HostIdentity
from runtime.node import Call, Node, on, run, serve
from runtime.sealing import Sealer

PROBLEMS = 1000
"""That are told of a ledger in one answer."""
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
        self._entries = self._repeated = self._differing = self._unreadable = self._refused = 0
        self._arms: Arms = {}
        self._nodes: frozenset[str] = frozenset()
        """Names of the nodes that are here: of others, nothing is kept."""
        problems = await asyncio.to_thread(self._begin)
        self._writer: GroupCommit[Telling, Receipt] = GroupCommit(self._append, self._count_in)
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
        return self._recorded(outcome.exchange, outcome.level, await self._put(outcome, call), call)

    @serve(Judge, concurrency=64, queue=1024)
    async def judge(self, judge: Judge, call: Call) -> TrustRecorded:
        """Write down a later judgement of an answer. Told twice, answered with the first entry."""
        _refuse_senseless_judgement(judge)
        return self._recorded(judge.exchange, judge.level, await self._put(judge, call), call)

    @serve(TableRequest)
    async def show(self, _request: TableRequest, _call: Call) -> TrustTable:
        return self._table()

    @serve(TensorsRequest)
    async def tensors(self, request: TensorsRequest, _call: Call) -> Tensors:
        return await asyncio.to_thread(answers.tensors, self._ledger, request, self.clock.wall_ns())

    @serve(ExplainEntry)
    async def explain(self, request: ExplainEntry, _call: Call) -> EntryExplained:
        return await asyncio.to_thread(answers.explain, self._ledger, request)

    @serve(IdentitiesRequest)
    async def identities(self, request: IdentitiesRequest, _call: Call) -> Identities:
        return answers.identities(self._ledger, request)

    @serve(Introduce)
    async def introduce(self, request: Introduce, call: Call) -> Written:
        return _written(await self._put(request, call))

    @serve(Witness)
    async def witness(self, request: Witness, call: Call) -> Written:
        return _written(await self._put(request, call))

    @serve(Revoke)
    async def revoke(self, request: Revoke, call: Call) -> Written:
        return _written(await self._put(request, call))

    @on(Registry)
    async def registry_said(self, event: Event[Registry]) -> None:
        self._nodes = frozenset(record.name for record in event.body.nodes)

    @on(AdapterCurrent)
    async def adapters_said(self, event: Event[AdapterCurrent]) -> None:
        """Learned weights are known from when they answer, as what came from the model they were learned from."""
        for adapter in (*event.body.adapters, *(each.adapter for each in event.body.challengers)):
            if adapter.digest:
                receipt = await self._writer.put(Telling(Learned(adapter.digest, adapter.base_version)))
                if receipt.refused is not None:
                    self.log.error("adapter.refused", adapter=adapter.digest, error=str(receipt.refused))

    @serve(VerifyRequest, concurrency=1)
    async def verify(self, request: VerifyRequest, _call: Call) -> Verified:
        head = noted.parse(request.head) if request.head else None
        published = self._table()
        examined = await asyncio.to_thread(self._ledger.examine, head)
        problems = [finding.message for finding in examined.findings]
        rebuilt = dict(examined.rebuilt)
        if examined.sound:
            given = await asyncio.to_thread(self._table_anew, published.entries)
            problems += audit.table_differences(published, given)
            rebuilt["trust table"] = len(given.rows)
        return Verified(
            ok=not problems,
            entries=self._entries,
            problems=_shown(problems),
            head=noted.shown(examined.head.number, examined.head.link),
            rebuilt=rebuilt,
        )

    async def _put(self, item: Item, call: Call) -> Receipt:
        """Written down, or the error for which it was refused."""
        receipt = await self._writer.put(Telling(item, call.caller if call.caller in self._nodes else ""))
        if receipt.refused is not None:
            raise receipt.refused
        return receipt

    def _recorded(self, exchange: str, level: str, receipt: Receipt, call: Call) -> TrustRecorded:
        recorded = TrustRecorded(exchange=exchange, level=level, entry=receipt.number, repeated=receipt.repeated)
        if (told := receipt.outcome) is not None:
            recorded = msgspec.structs.replace(
                recorded,
                level=told.level,
                version=told.version,
                adapter=told.adapter,
                score=told.score,
                source=told.source,
            )
        if receipt.differs:
            self.log.warning("outcome.differs", exchange=exchange, level=level, entry=receipt.number)
        if not receipt.repeated:
            self.publish(recorded, trace=call.trace)
        return recorded

    def _append(self, tellings: Sequence[Telling]) -> list[Receipt]:
        return self._ledger.append(tellings, self.clock.wall_ns())

    def _count_in(self, _tellings: Sequence[Telling], receipts: Sequence[Receipt]) -> None:
        """What is new on the disk counts from now on."""
        for receipt in receipts:
            self._refused += receipt.refused is not None
            self._repeated += receipt.repeated
            self._differing += receipt.differs
            self._entries = max(self._entries, receipt.number)
            if receipt.outcome is not None:
                self._arms = fold(self._arms, receipt.outcome, receipt.wall_ns / 1e9, self._config)
        self._changed.set()

    def _begin(self) -> list[Finding]:
        """Look at what is there, believe what it gives, and say by which rules it goes on. What is wrong with it."""
        examined = self._ledger.examine()
        if examined.stale:
            self._ledger.restore(examined)
        self._arms, self._entries, self._unreadable = self._believed()
        self._arms = prune(self._arms, self.clock.wall_ns() / 1e9, self._config)
        rules = msgspec.json.encode(self._config).decode()
        (receipt,) = self._ledger.append([Telling(Adopt(rules))], self.clock.wall_ns())
        self._entries = max(self._entries, receipt.number)
        return examined.findings

    def _table_anew(self, until: int) -> TrustTable:
        wall_s = self.clock.wall_ns() / 1e9
        arms, _, _ = self._believed(until)
        return table(prune(arms, wall_s, self._config), until, wall_s, self._config)

    def _believed(self, until: int | None = None) -> tuple[Arms, int, int]:
        """What the entries, up to number `until`, make one believe; how far they go, and how many cannot be read."""
        arms: Arms = {}
        last = unreadable = 0
        for entry in self._ledger.entries():
            if until is not None and entry.number > until:
                break
            last = entry.number
            try:
                outcome = self._ledger.outcome(entry)
            except (SageError, msgspec.MsgspecError) as error:
                unreadable += 1
                self.log.warning("entry.unreadable", entry=entry.number, error=str(error))
                continue
            if outcome is not None:
                arms = fold(arms, outcome, entry.wall_ns / 1e9, self._config)
        return arms, last, unreadable

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
            "refused": self._refused,
            "unnoted_heads": self._ledger.unnoted,
            **self._ledger.counts(),
            **self._writer.stats(),
        }


def _refuse_senseless(outcome: Outcome) -> None:
    if not 0.0 <= outcome.score <= 1.0:
        raise BadRequest(f"a score lies between 0 and 1, not at {outcome.score}", place="trust/record: score")
    for field in ("confidence", "seconds", "cpu_s", "atp", "joules", "stake"):
        value = getattr(outcome, field)
        if not (math.isfinite(value) and value >= 0.0):
            raise BadRequest(f"{field} is a number from 0 on, not {value}", place=f"trust/record: {field}")
    if outcome.count < 1:
        raise BadRequest(f"an outcome is of one question or more, not {outcome.count}", place="trust/record: count")
    for field in ("exchange", "level", "context"):
        if not getattr(outcome, field):
            raise BadRequest(f"{field} is empty", place=f"trust/record: {field}")
    if outcome.exchange.startswith(OWN):
        raise BadRequest(f"an exchange's name does not begin with {OWN!r}", place="trust/record: exchange")


def _refuse_senseless_judgement(judge: Judge) -> None:
    if not 0.0 <= judge.score <= 1.0:
        raise BadRequest(f"a score lies between 0 and 1, not at {judge.score}", place="trust/judge: score")
    for field in ("exchange", "source"):
        if not getattr(judge, field):
            raise BadRequest(f"{field} is empty", place=f"trust/judge: {field}")


def _shown(problems: list[str]) -> list[str]:
    """As many as fit into an answer."""
    left = len(problems) - PROBLEMS
    return [*problems[:PROBLEMS], f"and {left} more"] if left > 0 else problems


def _written(receipt: Receipt) -> Written:
    return Written(entry=receipt.number, repeated=receipt.repeated)


if __name__ == "__main__":
    run(TrustLedger)
