"""Replay: questions of the day go through all levels, while nobody waits for an answer.

What comes of it is told to the ledger (an outcome for every level), kept, and made into calibrations and a price.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

import msgspec

from nodes.dialogue import replaying, spending
from nodes.dialogue.calibration import signs_of
from nodes.dialogue.config import DialogueConfig, LevelConfig
from nodes.dialogue.deliveries import METABOLISM, TRUST
from nodes.dialogue.outbox import Delivery
from nodes.dialogue.ports import Outlook
from nodes.dialogue.replaying import JUDGE, Lesson, Sample, Tried
from nodes.dialogue.replays import Asked, Replays
from nodes.dialogue.reserving import SLACK_S, Means
from nodes.dialogue.spending import Rates
from nodes.trust_ledger.config import TrustConfig
from protocol.errors import SageError
from protocol.messages.metabolism import Reserve, Reserved, Settle
from protocol.messages.model import Generate, Generated
from protocol.messages.trust import Replayed, TrustTable
from runtime.power.costs import LevelCosts
from runtime.verifiers import Verifier, judge


class World(Protocol):
    """What replay needs of the others."""

    async def generate_whole(self, worker: str, request: Generate) -> Generated:
        """A level's answer. Raises a `SageError` where there is none."""

    async def deliver(self, owed: Sequence[Delivery]) -> None: ...

    def costs(self, level: str) -> LevelCosts | None: ...

    async def reserve(self, request: Reserve, trace: bytes) -> Reserved: ...

    def wall_ns(self) -> int: ...

    def outlook(self) -> Outlook: ...


Report = Callable[[Replayed], Awaitable[object]]


class Replayer:
    def __init__(
        self, config: DialogueConfig, trust: TrustConfig, verifiers: Sequence[Verifier], kept: Replays, world: World
    ) -> None:
        self.config = config
        self.trust = trust
        self.verifiers = verifiers
        self.kept = kept
        self.world = world
        self.counts: Counter[str] = Counter()
        self._one = asyncio.Lock()

    async def replay(
        self,
        count: int,
        rates: Rates,
        report: Report | None = None,
        go_on: Callable[[], bool] = lambda: True,
    ) -> Replayed:
        """Put up to `count` questions through all levels, then tune. What was tried is kept if it is interrupted.

        `go_on` is asked before every question, and energy held for it; without either nothing is tuned until the next
        replay.
        """
        async with self._one:
            waiting = await asyncio.to_thread(self.kept.waiting, count)
            failed = 0
            for number, asked in enumerate(waiting, start=1):
                if not go_on():
                    self.counts["interrupted"] += 1
                    return told(self.kept.lesson, done=number - 1, total=len(waiting), failed=failed)
                if refused := await self._refused(asked, rates):
                    self.counts["refused"] += 1
                    found = told(self.kept.lesson, done=number - 1, total=len(waiting), failed=failed)
                    return msgspec.structs.replace(found, why=f"there is no energy to go on ({refused}); {found.why}")
                try:
                    await self._try(asked, rates)
                except SageError:
                    failed += 1
                    self.counts["failed"] += 1
                if report is not None:
                    await report(Replayed(done=number, total=len(waiting), failed=failed))
            lesson = await self._learn()
            found = told(lesson, done=len(waiting), total=len(waiting), failed=failed)
            return msgspec.structs.replace(found, in_force=lesson is self.kept.lesson)

    async def take_back(self) -> Replayed:
        """Put the lesson before the last in force again."""
        async with self._one:
            back = await asyncio.to_thread(self.kept.take_back)
            self.counts["taken_back"] += back
            return told(self.kept.lesson, done=0, total=0, failed=0)

    def stats(self) -> dict[str, float]:
        return {**self.counts, **self.kept.stats()}

    async def _refused(self, asked: Asked, rates: Rates) -> str:
        """Have energy held for what all levels would say; why there is none, empty where there is."""
        means = Means(
            levels=self.config.levels,
            costs=self.world.costs,
            table=self.world.outlook().table,
            rates=rates,
            characters=sum(len(message.content) for message in asked.messages),
            new_tokens=0,
        )
        atp = sum(means.estimate(level.name) for level in self.config.levels)
        if not atp:
            return ""
        ttl_s = len(self.config.levels) * self.config.replay.answer + SLACK_S
        try:
            reserved = await self.world.reserve(Reserve(ident=_name(asked), kind="dream", atp=atp, ttl_s=ttl_s), b"")
        except SageError:
            self.counts["without.reserve"] += 1
            return ""
        return "" if reserved.granted else reserved.reason

    async def _answers(self, asked: Asked, rates: Rates) -> list[Generated]:
        """What every level says. Where one fails, what the others took is settled all the same."""
        answers: list[Generated] = []
        try:
            for level in self.config.levels:
                answers.append(await self._ask(level, asked))  # noqa: PERF401  those before a failure count
        except BaseException:
            if answers:
                ident = f"{_name(asked)}/{self.world.wall_ns()}"
                bill = msgspec.structs.replace(_bill(ident, answers, rates), out_of=_name(asked))
                await self.world.deliver([Delivery(METABOLISM, ident, bill)])
            raise
        return answers

    async def _try(self, asked: Asked, rates: Rates) -> None:
        answers = await self._answers(asked, rates)
        source, scores = self._judged(asked, answers)
        costs = [rates.atp(answer.cpu_s, answer.joules) for answer in answers]
        measured = all(cost > 0 for cost in costs)  # else they are compared as they are configured
        tried = tuple(
            Tried(
                level=level.name,
                model=answer.model,
                version=answer.version,
                score=score,
                signs=signs_of(answer),
                atp=cost if measured else level.cost,
                measured=measured,
            )
            for level, answer, score, cost in zip(self.config.levels, answers, scores, costs, strict=True)
        )
        sample = Sample(
            exchange=_name(asked),
            query=asked.query,
            tried=tried,
            source=source,
            at_ns=self.world.wall_ns(),
            alarmed=_alarmed(self.world.outlook().table, answers),
        )
        owed = [Delivery(TRUST, f"{sample.exchange}/{one.level}", one) for one in replaying.outcomes(sample)]
        owed.append(Delivery(METABOLISM, sample.exchange, _bill(sample.exchange, answers, rates)))
        await self.world.deliver(owed)
        await asyncio.to_thread(self.kept.replayed, asked.exchange, sample)
        self.counts["replayed"] += 1

    async def _ask(self, level: LevelConfig, asked: Asked) -> Generated:
        """Outside any conversation, so that no attention state that somebody may go on from is disturbed."""
        return await self.world.generate_whole(level.worker, Generate(messages=asked.messages))

    def _judged(self, asked: Asked, answers: Sequence[Generated]) -> tuple[str, list[float]]:
        texts = [answer.text for answer in answers]
        try:
            found = [judge(self.verifiers, asked.messages, text) for text in texts] if self.config.verify else []
        except Exception:  # A verifier is another package's code; the largest level judges in its place.
            self.counts["verifier_failed"] += 1
            found = []
        verdicts = [one for one in found if one is not None]
        if len(verdicts) == len(texts):
            return verdicts[0][0], [verdict.score for _, verdict in verdicts]
        return JUDGE, replaying.agreement(texts, [answer.confidence for answer in answers])

    async def _learn(self) -> Lesson:
        samples = await asyncio.to_thread(self.kept.samples)
        lesson = await asyncio.to_thread(replaying.learn, samples, self.trust, self.config.choice, self.world.wall_ns())
        if lesson.tuning is not None and lesson.tuning.questions < self.config.choice.tuning.fewest:
            self.counts["too_few"] += 1  # what was found before stays in force
            return lesson
        await asyncio.to_thread(self.kept.learned, lesson)
        return lesson


def _name(asked: Asked) -> str:
    return f"{asked.exchange}/replayed"


def _bill(ident: str, answers: Sequence[Generated], rates: Rates) -> Settle:
    bill = spending.bill(ident, [spending.of(one) for one in answers], rates)
    return msgspec.structs.replace(bill, kind="dream")


def _alarmed(table: TrustTable, answers: Sequence[Generated]) -> tuple[str, ...]:
    answering = {(answer.level, answer.version) for answer in answers}
    return tuple(model.level for model in table.models if model.alarm and (model.level, model.version) in answering)


def told(lesson: Lesson, *, done: int, total: int, failed: int) -> Replayed:
    tuning = lesson.tuning
    if tuning is None:
        return Replayed(done=done, total=total, failed=failed, why="nothing has been tuned yet")
    chosen = next((one for one in tuning.trials if one.price == tuning.price), None)
    return Replayed(
        done=done,
        total=total,
        failed=failed,
        price=tuning.price,
        questions=tuning.questions,
        saving=chosen.saving if chosen else 0.0,
        bound=chosen.bound if chosen else 0.0,
        why=tuning.why,
        calibration_error={version: fit.error for version, fit in lesson.calibrations.items()},
    )
