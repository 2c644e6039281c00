"""`sage bench bus`: what an event and a call cost, how many pass, and whether any is lost without being counted."""

from __future__ import annotations

import asyncio
import random
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from protocol.errors import SageError
from runtime.bench import bus_report
from runtime.bench.bus_report import Measured
from runtime.bench.contenders import Arena, Contender, arena
from runtime.bench.peers import environment
from runtime.bench.search import Staircase
from runtime.bench.session import Outcome, Progress, Session

PACED_HZ = 1000.0
CALL_BYTES = 100
_SLOW_READER_S = 50e-6
_MOST = {"sample": 1_000_000, "block": 4_000}
"""Messages per trial: what a reader that falls behind leaves in the queues must fit into memory."""


@dataclass(frozen=True)
class Plan:
    """How much is measured. The first round of each contender warms it up and is not counted."""

    rounds: int
    events: int
    """Paced events per round."""
    calls: int
    """Calls per round."""
    trials: int
    """Steps of the search for the highest rate of events."""
    block_trials: int
    trial_s: float
    flood: int
    """Events sent without a pause to a reader that is too slow for them."""
    rates_of_peers: bool
    """Whether the peers' rates are searched as well; their times always are."""

    @property
    def seconds(self) -> float:
        """About how long each contender is busy: what progress is counted in."""
        return self.rounds * self.events / PACED_HZ + (self.trials + self.block_trials) * self.trial_s


QUICK = Plan(
    rounds=9, events=200, calls=100, trials=8, block_trials=4, trial_s=0.3, flood=100_000, rates_of_peers=False
)
FULL = Plan(
    rounds=31, events=1000, calls=500, trials=16, block_trials=10, trial_s=1.0, flood=300_000, rates_of_peers=True
)


def measure(session: Session, *, install_peers: bool) -> Outcome:
    """Run the benchmark. Raises `ChildFailed` where the fabric or the floor does not start."""
    measured = asyncio.run(_measure(session, QUICK if session.quick else FULL, install_peers))
    session.file("event-times.svg", bus_report.plot(measured))
    return bus_report.outcome(measured)


async def _measure(session: Session, plan: Plan, install_peers: bool) -> Measured:
    measured = Measured()
    peers = await _peers(measured, install_peers)
    directory = Path(tempfile.mkdtemp(prefix="sg"))
    try:
        async with arena(directory, peers) as found:
            measured.absent.update(found.absent)
            run = _Run(session, plan, found, measured)
            await run.times()
            await run.rates()
            await run.flood()
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    return measured


async def _peers(measured: Measured, install: bool) -> environment.PeerEnvironment | None:
    """The peers' environment, or None with the reason kept."""
    try:
        peers = await environment.make() if install else environment.find()
    except SageError as error:
        measured.absent.update(dict.fromkeys(("zenoh", "dora"), str(error)))
        return None
    measured.versions.update(peers.versions)
    return peers


class _Run:
    """The measurements, in their order. Contenders take turns, in a new order every round."""

    def __init__(self, session: Session, plan: Plan, found: Arena, measured: Measured) -> None:
        self._session = session
        self._plan = plan
        self._arena = found
        self._measured = measured
        self._draw = random.Random(session.seed)
        self._progress: Progress = session.progress(plan.seconds * len(found.contenders))

    async def times(self) -> None:
        """One-way times of paced events, and round trips of calls."""
        for number in range(self._plan.rounds):
            for one in self._arena.shuffled(self._draw):
                await one.carry("sample", count=self._plan.events, rate=PACED_HZ)
                self._keep("event_us", one, number, await one.latencies_us())
                if one.answers_calls:
                    calls = await one.calls_us(count=self._plan.calls, size=CALL_BYTES)
                    self._keep("call_us", one, number, calls)
                self._progress.advance(self._plan.events / PACED_HZ, f"round {number + 1}: {one.name}")

    def _keep(self, what: str, one: Contender, number: int, times: list[float]) -> None:
        if number == 0:
            return
        getattr(self._measured, what)[one.name].append(times)
        self._session.raw(what=what, contender=one.name, round=number, us=[round(time, 1) for time in times])

    async def rates(self) -> None:
        """The highest rates at which nothing is lost: of small events, and of 64 KiB ones."""
        await self._search("sample", self._plan.trials, 20_000.0)
        await self._search("block", self._plan.block_trials, 2_000.0)

    async def _search(self, kind: str, trials: int, first_rate: float) -> None:
        among = None if self._plan.rates_of_peers else ["sage", "floor_blocking", "floor_asyncio"]
        stairs = {one.name: Staircase(first_rate) for one in self._arena.shuffled(self._draw, among=among)}
        found = self._measured.rates[kind] = {name: [] for name in stairs}
        for _ in range(trials):
            for one in self._arena.shuffled(self._draw, among=among):
                rate = stairs[one.name].rate
                count = min(round(rate * self._plan.trial_s), _MOST[kind])
                trial = await one.carry(kind, count=count, rate=rate)
                stairs[one.name] = stairs[one.name].after(bus_report.worked(rate, trial))
                found[one.name].append((rate, trial))
                row = {"sent": trial.sent, "received": trial.received, "seconds": trial.seconds}
                self._session.raw(what="rate", kind=kind, contender=one.name, offered=rate, **row)
                self._progress.advance(self._plan.trial_s, f"{rate:,.0f} {kind}s/s: {one.name}")

    async def flood(self) -> None:
        """Far more than a slow reader can take: whatever does not reach its handler must be counted there."""
        sage = self._arena.find("sage")
        before = await sage.reader.ask("losses")
        await sage.reader.ask("slow", seconds=_SLOW_READER_S)
        trial = await sage.carry("sample", count=self._plan.flood, rate=0)
        await sage.reader.ask("slow", seconds=0.0)
        # A gap shows when the next message comes.
        await sage.carry("sample", count=1, rate=0)
        after = await sage.reader.ask("losses")
        counted = {name: after[name] - before[name] for name in before}
        self._measured.flood = {"sent": trial.sent, "received": trial.received, **counted}
        self._session.raw(what="flood", **self._measured.flood)
