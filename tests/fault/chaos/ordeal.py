"""The ordeal: load on the system, one injury after another, and a look at everything that must still hold.

What does not hold is written down and the ordeal goes on; only a system that no longer answers ends it.
"""

from __future__ import annotations

import asyncio
import signal
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from protocol.errors import SageError
from protocol.messages.hub import HubStats, ListNodes, Registry, StatsRequest
from protocol.messages.node import NodeState
from protocol.messages.trust import Verified, VerifyRequest
from runtime.client import Client
from tests.fault.chaos import metabolism, records
from tests.fault.chaos.injuries import Injury, Step, plan
from tests.fault.chaos.load import DEADLINES_S, DIALOGUE, Load
from tests.fault.chaos.report import Growth, Report, by_injury, spread
from tests.fault.chaos.system import LOOK_S, Body, ChaosError, System, body

ASKERS = 4
BOUND_S = 120.0
"""In which a system must answer again. The machine may be busy with other things: what it takes is in the report."""
SETTLE_S = 180.0
"""In which everything must be as it should be once nobody is injured any more."""
SLACK_S = 2.0
"""What a call may end after its deadline: our own loop has its turns to take."""
SETTLE_EVERY = 20
MORE_DESCRIPTORS = 10
MORE_RESIDENT = 24 << 20
MIB = 1 << 20
UP = (NodeState.READY, NodeState.DEGRADED)

LEVELS = "model_worker/"

Tell = Callable[[str], None]


async def ordeal(directory: Path, *, injuries: int, seed: int, levels: str = "", tell: Tell) -> Report:
    """Begin a system, injure it `injuries` times under load, end it; what came of it."""
    system = System(directory, levels)
    began = time.monotonic()
    try:
        await system.up()
        tell(f"ready after {time.monotonic() - began:.1f} s")
        async with Client.connect(system.run_dir, name="chaos", deadline=BOUND_S) as client:
            patient = Ordeal(system, client, seed, tell)
            steps = plan(seed, injuries, system.nodes())
            await patient.run(steps)
        await patient.end()
    finally:
        system.kill_all()
    return patient.report(steps, time.monotonic() - began)


@dataclass(frozen=True)
class Recovery:
    """How an injury was survived."""

    injury: str
    seconds: float
    """From the injury until a question put after it was answered."""
    level_left: bool
    """Whether there was a level that could answer; otherwise a model had to be loaded first."""


class Ordeal:
    """One system, its load, and what was seen of it."""

    def __init__(self, system: System, client: Client, seed: int, tell: Tell) -> None:
        self.violations: list[str] = []
        self._system = system
        self._client = client
        self._seed = seed
        self._tell = tell
        self._load = Load(client, seed)
        self._transitions = metabolism.Transitions()
        self._again: list[Recovery] = []
        self._back: list[tuple[str, float]] = []
        self._kills: list[tuple[str, float]] = []
        self._bodies: dict[tuple[str, int], list[Body]] = {}
        self._complaints: dict[str, int] = {}
        self._hurt: Counter[str] = Counter()
        self._following: set[asyncio.Task[None]] = set()

    async def run(self, steps: Sequence[Step]) -> None:
        """Everything that is done to the living system, up to the moment before its end."""
        await self._client.listen("metabolic/state", self._transitions.heard)
        async with AsyncExitStack() as stack:
            load = self._begin_load()
            stack.push_async_callback(_end, load)
            await self._answers_again("the beginning", time.monotonic())
            await self._settle()
            done = 0
            for step in steps:
                await self._inflict(step)
                done += len(step)
                self._tell(f"{done} injuries: {self._again[-1].injury}, answers after {self._again[-1].seconds:.2f} s")
                if done % SETTLE_EVERY < len(step) or any(injury.node == "hub" for injury in step):
                    await self._settle()
            await asyncio.gather(*self._following)
            await self._settle()
            self._load.over.set()
            await asyncio.wait(load, timeout=max(DEADLINES_S) + SLACK_S)
            self._hold([f"hangs: {call}" for call in self._load.hanging()])
        await self._at_rest()

    async def end(self) -> None:
        """Stop it in order, and look at what it leaves behind."""
        code, said = await self._system.down()
        if code != 0:
            self.violations.append(f"sage down ended with {code}: {said}")
        if left := self._system.processes():
            self.violations.append(f"processes are left: {left}")
        self._complaints = records.complaints(self._system.state_dir)
        self._hold([one for one in self._complaints if one.endswith(records.BROKEN)])
        self._hold(records.wrong(self._system.state_dir, self._load.answers, self._transitions.number))

    def report(self, steps: Sequence[Step], seconds: float) -> Report:
        calls, injuries = self._load.calls, [injury for step in steps for injury in step]
        late = [f"a call to {call.target} was {call.late_s:.2f} s late" for call in calls if call.late_s > SLACK_S]
        kinds = [injury.kind for injury in injuries]
        return Report(
            seed=self._seed,
            injuries=len(injuries),
            kinds={kind: kinds.count(kind) for kind in sorted(set(kinds))},
            seconds=round(seconds, 1),
            calls=len(calls),
            outcomes=self._load.outcomes(),
            latest_s=round(max(call.late_s for call in calls), 3),
            answered_again_s=spread(one.seconds for one in self._again),
            with_a_level_s=spread(one.seconds for one in self._again if one.level_left),
            without_a_level_s=spread(one.seconds for one in self._again if not one.level_left),
            answered_again_by=by_injury([(one.injury, one.seconds) for one in self._again]),
            back_s=by_injury(self._back),
            told_s=spread(self._told()),
            transitions=self._transitions.number - self._transitions.first,
            exchanges=len(self._load.answers),
            growth=[_growth(name, bodies) for (name, _), bodies in self._bodies.items() if len(bodies) > 1],
            complaints=self._complaints,
            violations=[*self.violations, *self._transitions.falls, *self._load.unnamed, *late, *self._leaks()],
        )

    # Injuries

    async def _inflict(self, step: Step) -> None:
        async with asyncio.timeout(BOUND_S):
            pids = [await self._system.living(injury.node) for injury in step]
        moment = time.monotonic()
        for one, pid in zip(step, pids, strict=True):
            self._system.signal(pid, signal.SIGKILL if one.kind == "kill" else signal.SIGSTOP)
            if one.kind == "kill":
                self._kills.append((one.node, moment))
            self._hurt[one.node] += 1
            self._follow(self._heal(one, pid, moment))
        injury = " and ".join(map(str, step))
        level_left = not all(self._hurt[name] for name in self._system.nodes() if name.startswith(LEVELS))
        self._again.append(Recovery(injury, await self._answers_again(injury, moment), level_left))

    async def _answers_again(self, after: str, moment: float) -> float:
        """Seconds from the moment until a question put after it was answered. Raises `ChaosError` past the bound."""
        try:
            async with asyncio.timeout(BOUND_S):
                return await self._load.answered(moment)
        except TimeoutError:
            raise ChaosError(
                f"no answer within {BOUND_S:g} s after {after}; not up: {self._system.not_up()}; "
                f"calls ended so: {self._load.outcomes()}"
            ) from None

    async def _heal(self, injury: Injury, pid: int, moment: float) -> None:
        """Let a paused process go on; see that a dead or frozen one is replaced."""
        if injury.kind == "pause":
            await asyncio.sleep(injury.pause_s)
            self._system.signal(pid, signal.SIGCONT)
        else:
            try:
                async with asyncio.timeout(SETTLE_S):
                    await self._system.replaced(injury.node, pid)
            except TimeoutError:
                self._hold([f"{injury} was not replaced within {SETTLE_S:g} s: {self._system.not_up()}"])
            self._back.append((str(injury), time.monotonic() - moment))
        self._hurt[injury.node] -= 1

    def _follow(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self._following.add(task)
        task.add_done_callback(self._following.discard)

    # What must hold

    async def _settle(self) -> None:
        """Wait until all are up, to the supervisor and to the hub alike; then see what the lasting processes hold."""
        await self._until("all are up", self._not_up)
        shown = self._system.state()
        for name, pid in (("supervisor", shown.pid), ("guard", shown.guard), ("hub", self._system.node("hub").pid)):
            if pid is not None:
                self._bodies.setdefault((name, pid), []).append(body(pid))

    async def _at_rest(self) -> None:
        """Nobody asks any more: everything that was begun comes to its end."""
        await self._until("every node has taken up the retained transition", self._out_of_step)
        await self._until("the outbox of dialogue is empty", self._undelivered)
        await self._until("nothing is under way", self._under_way)
        verified: Verified = await self._client.call("trust_ledger", VerifyRequest(), deadline=BOUND_S)
        self._hold([f"trust ledger: {problem}" for problem in verified.problems])

    async def _not_up(self) -> list[str]:
        if down := self._system.not_up():
            return down
        try:
            registry: Registry = await self._client.call("hub", ListNodes(), deadline=metabolism.CALL_S)
        except SageError as error:
            return [str(error)]
        known = {
            node.name: f"{node.state} {node.reason}" for node in registry.nodes if node.state in ("ready", "degraded")
        }
        return [f"{name} is not up in the hub's registry" for name in self._system.nodes() if name not in known]

    async def _out_of_step(self) -> list[str]:
        return await metabolism.out_of_step(self._client)

    async def _undelivered(self) -> list[str]:
        left = await asyncio.to_thread(records.undelivered, self._system.state_dir)
        return [f"{left} deliveries wait or were refused"] if left else []

    async def _under_way(self) -> list[str]:
        stats: HubStats = await self._client.call("hub", StatsRequest(), deadline=BOUND_S)
        registry: Registry = await self._client.call("hub", ListNodes(), deadline=BOUND_S)
        health = next(node.health for node in registry.nodes if node.name == DIALOGUE)
        answering = health.stats["responder"].get("under_way", 0) if health else 0
        calls = stats.counters["calls"]["open"]
        return [f"{calls:g} calls, {answering:g} exchanges"] if calls or answering else []

    async def _until(self, what: str, wrong: Callable[[], Awaitable[list[str]]]) -> None:
        """Wait until nothing is wrong any more; what still is when the time is up is written down."""
        found: list[str] = []
        try:
            async with asyncio.timeout(SETTLE_S):
                while found := await wrong():
                    await asyncio.sleep(LOOK_S)
        except TimeoutError:
            self._hold([f"not within {SETTLE_S:g} s: {what}: {one}" for one in found])

    def _hold(self, wrong: Sequence[str]) -> None:
        self.violations += wrong

    def _leaks(self) -> list[str]:
        return [
            f"{name} {pid} went from {bodies[0]} to {bodies[-1]}"
            for (name, pid), bodies in self._bodies.items()
            if bodies[-1].descriptors > bodies[0].descriptors + MORE_DESCRIPTORS
            or bodies[-1].resident > bodies[0].resident + MORE_RESIDENT
        ]

    def _told(self) -> list[float]:
        """For each kill of a node that was being called: seconds until all who waited for it had been told."""
        waited = [
            [
                call.ended - moment
                for call in self._load.calls
                if call.target == node and call.began < moment < call.ended
            ]
            for node, moment in self._kills
        ]
        return [max(seconds) for seconds in waited if seconds]

    def _begin_load(self) -> list[asyncio.Task[None]]:
        work = [self._load.asker(f"asker-{number}") for number in range(ASKERS)]
        work += [
            self._load.pinger(self._system.nodes()),
            metabolism.keep_wishing(self._client, self._seed, self._load.over),
        ]
        return [asyncio.ensure_future(one) for one in work]


async def _end(tasks: Sequence[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    for result in await asyncio.gather(*tasks, return_exceptions=True):
        if isinstance(result, Exception):
            raise result


def _growth(name: str, bodies: Sequence[Body]) -> Growth:
    first, last = bodies[0], bodies[-1]
    return Growth(
        process=name,
        pid=first.pid,
        descriptors=(first.descriptors, last.descriptors),
        resident_mib=(round(first.resident / MIB, 1), round(last.resident / MIB, 1)),
    )
