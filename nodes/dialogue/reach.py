"""How the path from words to an answer reaches the world: calls and events of the fabric, and the store."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager, suppress
from functools import partial
from typing import Any

from nodes.dialogue import asked
from nodes.dialogue.config import DialogueConfig
from nodes.dialogue.conversation import Conversation
from nodes.dialogue.conversations import Conversations
from nodes.dialogue.courier import Courier
from nodes.dialogue.deliveries import CONTEXT, METABOLISM, Finished, deliveries
from nodes.dialogue.grounds import Question, Recalled
from nodes.dialogue.outbox import Delivery, Outbox
from nodes.dialogue.patterns import LiveValues
from nodes.dialogue.patterns.learner import Learner
from nodes.dialogue.ports import Generation, Outlook
from nodes.dialogue.reality.cache import Reality
from nodes.dialogue.reality.keeper import Keeper
from nodes.dialogue.replays import Replays
from nodes.dialogue.store import Store, StoreUnwritable
from nodes.dialogue.traces import Traces
from nodes.dialogue.unwritten import Unwritten
from protocol.messages.context import Classified, Classify
from protocol.messages.dialogue import TraceReply
from protocol.messages.metabolism import MetabolicState, Reserve, Reserved, Rouse
from protocol.messages.model import Generate, Generated
from runtime import sensors
from runtime.node import Node
from runtime.power.costs import FILE as COSTS_FILE
from runtime.power.costs import CostsFile, LevelCosts


class Reach:
    """`nodes.dialogue.ports.Ports` over a node and its store."""

    def __init__(
        self,
        node: Node,
        config: DialogueConfig,
        store: Store,
        outlook: Callable[[], Outlook],
        reality: Reality,
        learner: Learner,
        replays: Replays,
    ) -> None:
        self.outbox = Outbox(store)
        self.conversations = Conversations(store, config.kept.conversations)
        self.traces = Traces(store, config.kept.traces)
        self.courier = Courier(self.outbox, self._deliver, node.log)
        self.assumed = Keeper(
            reality,
            wall_ns=node.clock.wall_ns,
            call=self._ask_of,
            say=node.publish,
            workers={level.name: level.worker for level in config.levels},
            log=node.log,
        )
        self.unwritten = Unwritten()
        self._going_on: dict[str, Conversation] = {}
        """Conversations as they are, while what was said last waits to be written."""
        self._node = node
        self._times = config.times
        self._store = store
        self._outlook = outlook
        self._learner = learner
        self._replays = replays
        self._replay_s = config.replay.answer
        self._costs = CostsFile(node.state_dir / COSTS_FILE)
        self._random = random.Random()

    def mono_ns(self) -> int:
        return self._node.clock.mono_ns()

    def wall_ns(self) -> int:
        return self._node.clock.wall_ns()

    def draw(self) -> float:
        return self._random.random()

    def outlook(self) -> Outlook:
        return self._outlook()

    def live_values(self) -> LiveValues:
        wall_s = self._node.clock.wall_ns() / 1e9
        outlook = self._outlook()
        return LiveValues(
            wall_s,
            state=str(outlook.metabolic.state) if outlook.metabolic else None,
            atp=outlook.energy.atp if outlook.energy else None,
            battery=sensors.battery,
            temperature=sensors.temperature,
        )

    def say(self, body: Any, trace: bytes) -> None:
        self._node.publish(body, trace=trace)

    async def rouse(self, request: Rouse, trace: bytes) -> MetabolicState:
        state: MetabolicState = await self._node.call(METABOLISM, request, deadline=self._times.rouse, trace=trace)
        return state

    def costs(self, level: str) -> LevelCosts | None:
        before = self._costs.problem
        found = self._costs.level(level)
        if self._costs.problem not in {"", before}:
            self._node.log.warning("costs.unusable", error=self._costs.problem)
        return found

    async def reserve(self, request: Reserve, trace: bytes) -> Reserved:
        reserved: Reserved = await self._node.call(METABOLISM, request, deadline=self._times.reserve, trace=trace)
        return reserved

    async def classify(self, request: Classify, trace: bytes) -> Classified:
        found: Classified = await self._node.call(CONTEXT, request, deadline=self._times.classify, trace=trace)
        return found

    def generate(
        self, worker: str, request: Generate, *, deadline: float, trace: bytes
    ) -> AbstractAsyncContextManager[Generation]:
        return self._node.stream(worker, request, deadline=deadline, trace=trace)

    async def conversation(self, session: str) -> Conversation:
        going_on = self._going_on.get(session)
        return going_on or await asyncio.to_thread(self.conversations.get, session)

    async def recall(self, question: Question) -> Recalled:
        return await self.assumed.recall(question)

    async def remember(self, question: Question, finished: Finished) -> None:
        self._learner.note(question, finished, self._outlook().table, self.live_values())
        await self.assumed.remember(question, finished)

    async def keep(self, finished: Finished, conversation: Conversation | None, trace: TraceReply) -> None:
        """Write it all down; where there is no room, once there is some."""
        write = partial(self._write_down, finished, conversation, trace)
        await asyncio.shield(asyncio.to_thread(self.unwritten.put, write))
        if conversation is not None:
            self._going_on[finished.answer.session] = conversation
        if not self.unwritten:
            self._going_on.clear()
        self.courier.poke()

    async def generate_whole(self, worker: str, request: Generate) -> Generated:
        """An answer outside any conversation."""
        async with self._node.stream(worker, request, deadline=self._replay_s) as generation:
            async for _ in generation:
                pass
            whole: Generated = generation.reply
            return whole

    async def deliver(self, owed: Sequence[Delivery]) -> None:
        """Write down what others are to be told, and have it brought to them."""
        await asyncio.shield(asyncio.to_thread(self.outbox.put, owed))
        self.courier.poke()

    def _write_down(self, finished: Finished, conversation: Conversation | None, trace: TraceReply) -> None:
        session, wall_ns = finished.answer.session, self._node.clock.wall_ns()
        with self._store.transaction():
            self.outbox.put(deliveries(finished))
            self.traces.put(trace, session, wall_ns)
            if conversation is not None:
                self.conversations.put(session, conversation, wall_ns)
        if (again := asked.again(finished)) is not None:
            with suppress(StoreUnwritable):  # a sample of the day: one less does no harm
                self._replays.keep(again)

    async def _ask_of(self, node: str, request: Any) -> Any:
        return await self._node.call(node, request, deadline=self._times.delivery)

    async def _deliver(self, destination: str, request: Any, key: str) -> Any:
        return await self._node.call(destination, request, deadline=self._times.delivery, idempotency_key=key)
