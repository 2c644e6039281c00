"""The nights of one arm: the dreamer itself, over a store, a journal and a registry of weights of its own.

Nothing is left out but the processes around it: what is offered is kept or not by the store's rules, a dream runs in
the training process, is ruled upon, and what passes goes through the registry. The account bears any dream here; what
one took is measured. The clock on the wall is the simulated one.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from nodes.dream_consolidator.adapters.lineage import code_version
from nodes.dream_consolidator.adapters.registry import Adapters
from nodes.dream_consolidator.collector.store import Collector
from nodes.dream_consolidator.dream import Dreamer
from nodes.dream_consolidator.job import PURPOSE
from nodes.dream_consolidator.journal import Journal
from nodes.dream_consolidator.purse import Stretch
from nodes.dream_consolidator.settings import Settings
from nodes.model_worker import levels as model_levels
from protocol.errors import SageError
from protocol.messages.dream import Adapter, DreamCompleted, DreamProgress, Keep
from runtime.clock import Clock
from runtime.paths import private_directory, write_atomically
from runtime.sealing import Sealer

DAY_S = 86_400
BEGIN_NS = 1_700_000_000_000_000_000
"""When the first day begins."""
HOUR_OF_DREAMS = 23.5


class Night(msgspec.Struct, frozen=True, kw_only=True):
    """What came of one night."""

    completed: DreamCompleted
    """Its level is empty where no dream was due."""
    in_force: list[Adapter]
    """What the levels that learn answer with the next day; an empty digest: their own weights."""
    offered: int
    """Since the one before."""
    examples: int
    """In the store."""
    wall_s: float
    """Of the last stretch, where it was interrupted."""
    code: str
    """Which version of the dreamer dreamt."""

    @property
    def dreamt(self) -> bool:
        return bool(self.completed.level)


class Simulated(Clock):
    """The wall clock shows the simulated time; durations are real."""

    now_ns = BEGIN_NS

    def show(self, at_s: float) -> None:
        """So long after the first day's beginning."""
        self.now_ns = BEGIN_NS + round(at_s * 10**9)

    def wall_ns(self) -> int:
        return self.now_ns


class Nights:
    """`home`: what an interrupted run goes on from lies there."""

    def __init__(self, home: Path, settings: Settings) -> None:
        self._records = private_directory(home / "nights")
        state = private_directory(home / "state")
        directory = private_directory(state / "dream")
        levels = model_levels.load()
        self._students = settings.students
        self._clock = Simulated()
        self._offered = 0
        """Since the last dream."""
        self._collector = Collector(
            directory / "examples.sqlite", Sealer.load(state, PURPOSE), settings.collect, levels.names
        )
        self._journal = Journal(directory / "journal.sqlite")
        self._adapters = Adapters.load(state)
        self._dreamer = Dreamer(
            collector=self._collector,
            journal=self._journal,
            adapters=self._adapters,
            settings=settings,
            levels=levels,
            state_dir=state,
            clock=self._clock,
            afford=_afforded,
        )

    def close(self) -> None:
        self._journal.close()
        self._collector.close()

    def after(self, place: int, kept: Sequence[Keep], report: Callable[[str], None]) -> Night:
        """The night after day `place`, of which `kept` is offered; as it was noted, or dreamt anew or on.

        Raises SageError where the dream was stopped: the same call goes on with it.
        """
        record = self._records / f"{place:03}.json"
        if record.exists():
            return msgspec.json.decode(record.read_bytes(), type=Night)
        self.offer(kept, place * DAY_S)
        night = self.dream(f"night-{place:03}", place * DAY_S + HOUR_OF_DREAMS * 3600, report)
        write_atomically(record, msgspec.json.encode(night))
        return night

    def offer(self, kept: Sequence[Keep], at_s: float) -> None:
        """Offer exchanges `at_s` into the first day."""
        self._clock.show(at_s)
        for keep in kept:
            self._collector.offer(keep, self._clock.now_ns)
            self._offered += 1

    def backlog(self, at_s: float) -> int:
        """Exchanges that a dream would learn from then, 0 where none would begin."""
        self._clock.show(at_s)
        return self._dreamer.backlog().examples

    def dream(self, ident: str, at_s: float, report: Callable[[str], None]) -> Night:
        """Dream then, if a dream is due. Raises SageError where it was stopped: the same call goes on with it."""
        self._clock.show(at_s)
        began = time.monotonic()
        completed = self._dream(ident, report)
        offered, self._offered = self._offered, 0
        return Night(
            completed=completed,
            in_force=[self._adapters.current(level) for level in self._students],
            offered=offered,
            examples=self._collector.count,
            wall_s=time.monotonic() - began,
            code=code_version(),
        )

    def _dream(self, ident: str, report: Callable[[str], None]) -> DreamCompleted:
        if (known := self._journal.find(ident)) is not None:  # it was stopped between the dream and its record
            return known.completed

        def say(progress: DreamProgress) -> None:
            report(f"{ident}: {progress.stage} {progress.done}/{progress.total}")

        completed = asyncio.run(self._dreamer.dream(ident, say)).completed
        if completed.interrupted:
            raise SageError(f"its dream was stopped: {completed.why}", place=ident, remedy="run the experiment again")
        return completed


async def _afforded(stretch: Stretch) -> str:
    return ""
