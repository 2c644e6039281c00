"""Whoever carries the same message: the fabric, the floor of its design, and the peers. Started side by side."""

from __future__ import annotations

import asyncio
import random
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from runtime.bench.bus_processes import READER, SOURCE
from runtime.bench.children import ChildFailed, Children, Remote, children
from runtime.bench.peers.environment import PeerEnvironment
from runtime.paths import private_directory

_ROOT = str(Path(__file__).resolve().parents[2])
_SETTLED_LOOKS = 20
_LOOK_S = 0.01

_DATAFLOW = """\
nodes:
  - id: source
    path: {python}
    args: -m runtime.bench.peers.dora_node source
    outputs: [sample, block]
  - id: reader
    path: {python}
    args: -m runtime.bench.peers.dora_node reader
    inputs:
      sample: {{source: source/sample, queue_size: 20000}}
      block: {{source: source/block, queue_size: 2000}}
"""


@dataclass(frozen=True)
class Trial:
    """So many messages, sent at a rate, and what became of them."""

    sent: int
    received: int
    seconds: float
    """From before the first was sent until the last had arrived."""

    @property
    def complete(self) -> bool:
        return self.received == self.sent

    @property
    def per_s(self) -> float:
        return self.received / self.seconds if self.seconds > 0 else 0.0


@dataclass
class Contender:
    """A source and a reader, connected in one particular way."""

    name: str
    source: Remote
    reader: Remote
    routed: dict[str, str] = field(default_factory=dict)
    """What its source must be told besides."""
    answers_calls: bool = False
    round: int = 0

    async def carry(self, kind: str, *, count: int, rate: float) -> Trial:
        """Send `count` messages at `rate` a second (0: without a pause) and wait until no more arrive."""
        self.round += 1
        sent = await self.source.ask("send", round=self.round, kind=kind, count=count, rate=rate, **self.routed)
        arrived = await self._settled(sent["sent"])
        seconds = (arrived["last_ns"] - sent["first_ns"]) / 1e9
        return Trial(sent["sent"], arrived["received"], max(seconds, 0.0))

    async def latencies_us(self) -> list[float]:
        """One-way times of the last round, message by message."""
        answer = await self.reader.ask("latencies", round=self.round)
        return [nanoseconds / 1e3 for nanoseconds in answer["latencies"]]

    async def calls_us(self, *, count: int, size: int) -> list[float]:
        answer = await self.source.ask("call", count=count, size=size)
        return [nanoseconds / 1e3 for nanoseconds in answer["latencies"]]

    async def _settled(self, sent: int) -> dict[str, Any]:
        """The reader's tally, once all have arrived or none has for a while."""
        quiet, before = 0, -1
        while True:
            tally = await self.reader.ask("tally", round=self.round)
            quiet = quiet + 1 if tally["received"] == before else 0
            if tally["received"] == sent or quiet >= _SETTLED_LOOKS:
                return tally
            before = tally["received"]
            await asyncio.sleep(_LOOK_S)


@dataclass
class Arena:
    """All that could be started, and why the others could not."""

    contenders: list[Contender]
    absent: dict[str, str]

    def shuffled(self, draw: random.Random, *, among: list[str] | None = None) -> list[Contender]:
        """The contenders in a new order, so that no round gives the same one the same neighbour."""
        chosen = [one for one in self.contenders if among is None or one.name in among]
        draw.shuffle(chosen)
        return chosen

    def find(self, name: str) -> Contender:
        return next(one for one in self.contenders if one.name == name)


@asynccontextmanager
async def arena(directory: Path, peers: PeerEnvironment | None) -> AsyncIterator[Arena]:
    """Everything started, in processes with their files in `directory`. A peer that does not start is absent."""
    async with children(directory) as family:
        found = Arena([await _sage(family), *await _floor(family)], {})
        if peers is not None:
            for start in (_zenoh, _dora):
                try:
                    found.contenders.append(await start(family, peers))
                except ChildFailed as error:
                    found.absent[start.__name__.strip("_")] = str(error)
        yield found


@asynccontextmanager
async def fabric_alone(directory: Path) -> AsyncIterator[Contender]:
    """The fabric, and nothing beside it."""
    async with children(directory) as family:
        yield await _sage(family)


async def _sage(family: Children) -> Contender:
    """A hub and two nodes, as a launch file would start them."""
    run_dir = private_directory(family.directory / "r")
    env = {
        "SAGE_RUN_DIR": str(run_dir),
        "SAGE_STATE_DIR": str(private_directory(family.directory / "s")),
        "SAGE_LOG": "json",
        "SAGE_LOG_LEVEL": "warning",
        "PYTHONPATH": _ROOT,
    }
    await family.start("hub", sys.executable, "-m", "runtime.hub", env=env)
    remotes = []
    for role, node in (("reader", READER), ("source", SOURCE)):
        label = f"sage-{role}"
        command = (sys.executable, "-m", "runtime.bench.bus_processes", role)
        await family.start(label, *command, env={**env, "SAGE_NODE": node})
        remotes.append(await family.ready(f"sage.{role}", label))
    reader, source = remotes
    return Contender("sage", source, reader, answers_calls=True)


async def _floor(family: Children) -> list[Contender]:
    """One proxy and one source; a reader that blocks, and one under asyncio."""
    remotes = {}
    for role in ("proxy", "responder", "reader", "async-reader", "source"):
        label = f"floor-{role}"
        command = (sys.executable, "-m", "runtime.bench.peers.floor", role, str(family.directory))
        await family.start(label, *command, env={"PYTHONPATH": _ROOT})
        remotes[role] = await family.ready(f"floor.{role.replace('-', '_')}", label)
    source = remotes["source"]
    return [
        Contender("floor_blocking", source, remotes["reader"], {"topic": "blocking"}),
        Contender("floor_asyncio", source, remotes["async-reader"], {"topic": "asyncio"}, answers_calls=True),
    ]


async def _zenoh(family: Children, peers: PeerEnvironment) -> Contender:
    remotes = []
    for role in ("source", "reader"):
        label = f"zenoh-{role}"
        command = (peers.program("python"), "-m", "runtime.bench.peers.zenoh_node", role, str(family.directory))
        await family.start(label, *command, env={"PYTHONPATH": _ROOT})
        remotes.append(await family.ready(f"zenoh.{role}", label))
    source, reader = remotes
    return Contender("zenoh", source, reader)


async def _dora(family: Children, peers: PeerEnvironment) -> Contender:
    """One `dora run`: its daemon, and the two nodes that the daemon starts."""
    dataflow = family.directory / "dataflow.yml"
    dataflow.write_text(_DATAFLOW.format(python=peers.program("python")))
    await family.start("dora", peers.program("dora"), "run", str(dataflow), env={"PYTHONPATH": _ROOT})
    return Contender("dora", await family.ready("dora.source", "dora"), await family.ready("dora.reader", "dora"))
