"""The reality cache beside an event loop: its work in threads, its news to the world, its questions answered."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, TypeVar

import msgspec
import structlog

from nodes.dialogue.deliveries import Finished
from nodes.dialogue.grounds import Question, Recalled
from nodes.dialogue.reality import answers, kept, shown
from nodes.dialogue.reality.assumption import Evidence
from nodes.dialogue.reality.cache import Reality
from nodes.dialogue.reality.kept import Call, Dropper
from nodes.dialogue.reality.outcomes import Observed
from nodes.dialogue.reality.surprise import Response
from protocol.errors import BadRequest, SageError
from protocol.messages.dream import AdapterCurrent
from protocol.messages.model import InfoRequest
from protocol.messages.reality import (
    AssumptionExplained,
    AssumptionObserved,
    Assumptions,
    AssumptionsForgotten,
    ExplainAssumption,
    ForgetAssumptions,
    ListAssumptions,
    ObserveAssumption,
    RealitySurprised,
)

T = TypeVar("T")


class Keeper:
    """What fails in here costs nobody an answer: it is counted, logged, and gone on without."""

    def __init__(
        self,
        reality: Reality,
        *,
        wall_ns: Callable[[], int],
        call: Call,
        say: Callable[[Any], None],
        workers: Mapping[str, str],
        log: structlog.stdlib.BoundLogger,
    ) -> None:
        """`workers`: level → node."""
        self.reality = reality
        self.dropper = Dropper(reality, call, workers, log)
        self._wall_ns = wall_ns
        self._call = call
        self._say = say
        self._workers = workers
        self._log = log
        self._failed = 0
        self._times: Counter[str] = Counter()
        """How often each operation was done."""
        self._cpu_s: defaultdict[str, float] = defaultdict(float)
        """What all of these took, in processor seconds."""

    # For the path from words to an answer

    async def recall(self, question: Question) -> Recalled:
        if not self.reality.config.answers:
            return Recalled(why="switched off")

        try:
            found, cpu_s = await self._timed("recall", lambda: answers.recall(self.reality, question, self._wall_ns()))
            return replace(found, cpu_s=cpu_s)
        except (SageError, sqlite3.Error) as error:
            self._note("recall", error)
            return Recalled(why=f"it cannot be read: {error}")

    async def remember(self, question: Question, finished: Finished) -> None:
        def write() -> None:
            now_ns = self._wall_ns()
            with self.reality.transaction():
                if finished.chosen is None:
                    self.reality.answered(finished.answer.exchange, answers.key(self.reality, question))
                    return
                answers.remember(self.reality, question, finished, now_ns)
                kept.take_in(self.reality, finished, now_ns)

        await self._tried("remember", write)
        self.dropper.poke()

    async def judged(self, exchange: str, right: float, by: str) -> None:
        """Somebody says how right (0..1) an answer was."""
        observed = await self._tried(
            "judged", lambda: answers.judged(self.reality, exchange, right, by, self._wall_ns())
        )
        if observed is not None:
            self._tell(observed, by)

    # What is heard

    async def begin(self) -> None:
        """Nobody watched the workers until now."""
        for level in self._workers:
            await self._tried("begin", lambda at=level: self._doubt(at, "it was not watched for a while"))

    async def adapters(self, current: AdapterCurrent) -> None:
        levels = list(self._workers)
        await self._tried("adapters", lambda: answers.learn_adapters(self.reality, levels, current, self._wall_ns()))
        self.dropper.poke()

    async def started(self, nodes: frozenset[str]) -> None:
        """These workers were started anew: with which version they answer is to be asked before it is relied on."""
        for level, node in self._workers.items():
            if node in nodes:
                await self._tried("started", lambda at=level: self._doubt(at, "its worker was started anew"))
        self.dropper.poke()
        for level, node in self._workers.items():
            if node in nodes:
                await self._ask_version(level, node)

    async def forget_session(self, session: str) -> None:
        """What a conversation said is forgotten here at once, and elsewhere as soon as that is reached."""
        await asyncio.to_thread(kept.forget, self.reality, session, self._workers, self._wall_ns())
        self.dropper.poke()

    # What is asked

    async def list(self, request: ListAssumptions, atp_per_cpu_s: float = 0.0) -> Assumptions:
        """With what each operation took on average, in ATP."""
        found = await asyncio.to_thread(shown.listed, self.reality, request, self._wall_ns())
        atp = {f"atp.{what}": atp_per_cpu_s * self._cpu_s[what] / times for what, times in self._times.items()}
        return msgspec.structs.replace(found, stats={**found.stats, **atp})

    async def explain(self, request: ExplainAssumption) -> AssumptionExplained:
        return await asyncio.to_thread(shown.explained, self.reality, request.ident, self._wall_ns())

    async def forget(self, request: ForgetAssumptions) -> AssumptionsForgotten:
        if request.session:
            now_ns = self._wall_ns()
            forgotten = await asyncio.to_thread(kept.forget, self.reality, request.session, self._workers, now_ns)
            self.dropper.poke()
            return AssumptionsForgotten(forgotten=forgotten, broken=0)
        if not (request.ident or request.everything):
            raise BadRequest("it is not said what to forget", place="reality/forget")

        def forget() -> tuple[int, tuple[str, ...]]:
            name = "" if request.everything else shown.found(self.reality, request.ident)
            return self.reality.forget(key=name, everything=request.everything)

        forgotten, broken = await asyncio.to_thread(forget)
        self.dropper.poke()
        return AssumptionsForgotten(forgotten=forgotten, broken=len(broken))

    async def observe(self, request: ObserveAssumption) -> AssumptionObserved:
        try:
            evidence = Evidence(
                value=request.value,
                distance=request.distance,
                reliability=request.reliability,
                by=request.by,
                refutes=request.refutes,
            )
        except ValueError as error:
            raise BadRequest(str(error), place="reality/observe") from error

        def observe() -> Observed:
            return self.reality.observe(shown.found(self.reality, request.ident), evidence, self._wall_ns())

        observed, _ = await self._timed("observe", observe)
        self._tell(observed, request.by)
        self.dropper.poke()
        judgement = observed.judgement
        return AssumptionObserved(
            key=observed.key,
            distance=judgement.distance,
            confidence=judgement.confidence,
            centrality=judgement.centrality,
            surprise=judgement.surprise,
            response=judgement.response,
            standing=observed.standing,
            followed=len(observed.followed),
        )

    def stats(self) -> dict[str, float]:
        return {**self.reality.stats(), **self.dropper.stats(), "failed": self._failed}

    # What follows

    def _doubt(self, level: str, why: str) -> bool:
        return self.reality.doubt(answers.model_key(level), why)

    async def _ask_version(self, level: str, node: str) -> None:
        """One that cannot be asked, or has loaded nothing yet, says it with its next answer."""
        try:
            info = await self._call(node, InfoRequest())
        except SageError as error:
            self._log.info("reality.version_unknown", level=level, error=str(error))
            return
        if info.version:
            await self._tried(
                "version", lambda: answers.learn_version(self.reality, level, info.version, self._wall_ns())
            )

    def _tell(self, observed: Observed, by: str) -> None:
        judgement = observed.judgement
        if judgement.response is Response.GO_ON:
            return
        self._say(
            RealitySurprised(
                key=observed.key,
                level=str(observed.level),
                surprise=judgement.surprise,
                response=judgement.response,
                followed=len(observed.followed),
                why=by,
            )
        )

    async def _timed(self, what: str, work: Callable[[], T]) -> tuple[T, float]:
        """What the work comes to, done in a thread, and the processor seconds that it took."""

        def done() -> tuple[T, float]:
            began = time.thread_time()
            return work(), time.thread_time() - began

        found, cpu_s = await asyncio.to_thread(done)
        self._times[what] += 1
        self._cpu_s[what] += cpu_s
        return found, cpu_s

    async def _tried(self, what: str, work: Callable[[], T]) -> T | None:
        try:
            return (await asyncio.shield(self._timed(what, work)))[0]
        except (SageError, sqlite3.Error, ValueError) as error:
            self._note(what, error)
            return None

    def _note(self, what: str, error: Exception) -> None:
        self._failed += 1
        self._log.warning("reality.failed", what=what, error=str(error))
