"""A world without processes: workers that say what a test wrote for them, a controller, a sense of context."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from nodes.dialogue.config import DialogueConfig, LevelConfig
from nodes.dialogue.conversation import Conversation
from nodes.dialogue.deliveries import Finished
from nodes.dialogue.exchange import Exchange
from nodes.dialogue.grounds import Question, Recalled
from nodes.dialogue.outbox import Delivery
from nodes.dialogue.patterns import LiveValues
from nodes.dialogue.patterns import load as load_patterns
from nodes.dialogue.ports import Generation, Outlook
from nodes.dialogue.respond import Responder
from nodes.trust_ledger.config import PriorConfig, TrustConfig
from protocol.errors import SageError, UnknownNode
from protocol.messages.context import Classified, Classify, Context, Snarc
from protocol.messages.dialogue import Answer, Ask, ReplyPart, TraceReply
from protocol.messages.metabolism import Energy, Metabolic, MetabolicState, Policy, Reserve, Reserved, Rouse
from protocol.messages.model import Generate, Generated, Token
from runtime.clock import VirtualClock
from runtime.power.costs import LevelCosts

TRUST = TrustConfig(
    prior=PriorConfig(default=0.5, levels={"sensory": 0.4, "tactical": 0.6, "specialized": 0.8}),
    half_life=86400.0,
    gamma=1.0,
    interval=0.9,
)
CONFIG = DialogueConfig(
    levels=(
        LevelConfig(name="sensory", cost=1.0, accept_at=0.8),
        LevelConfig(name="tactical", cost=2.5, accept_at=0.7),
        LevelConfig(name="specialized", cost=5.5, accept_at=0.0),
    )
)
TRACE = bytes(range(16))


def state(which: Metabolic = Metabolic.WAKE, answer: str = "cheapest", number: int = 4) -> MetabolicState:
    return MetabolicState(state=which, number=number, reason="", since_ns=0, policy=Policy(answer=answer))


ASLEEP = state(Metabolic.REST, "nobody")


@dataclass
class Worker:
    """Answers every request with `text`, in tokens that end at blanks."""

    text: str = " four ."
    confidence: float = 0.95
    stop_reason: str = "stop"
    error: SageError | None = None
    fails_after: int | None = None
    """Tokens after which `error` comes; None: at once."""
    seconds: float = 0.5
    takes: int = 10_000
    """Characters of conversation; more is refused."""
    started: asyncio.Event = field(default_factory=asyncio.Event)
    holds: asyncio.Event | None = None
    """What it waits for before the second token."""
    requests: list[Generate] = field(default_factory=list)


class Script:
    """A generation as a worker's script has it."""

    def __init__(self, level: str, worker: Worker, clock: VirtualClock) -> None:
        self.level, self.worker, self.clock = level, worker, clock
        self.done = False

    async def __aiter__(self) -> AsyncIterator[Token]:
        worker = self.worker
        worker.started.set()
        for index, text in enumerate(worker.text.replace(" ", "\0 ").split("\0")):
            if worker.error is not None and index >= (worker.fails_after or 0):
                raise worker.error
            yield Token(text=text, id=index, index=index, logprob=-0.1)
            if worker.holds is not None:
                await worker.holds.wait()
        self.clock.advance(worker.seconds)
        self.done = True

    @property
    def reply(self) -> Generated:
        assert self.done
        worker = self.worker
        return Generated(
            text=worker.text,
            ids=[1],
            stop_reason=worker.stop_reason,
            tokens_reused=0,
            tokens_computed=5,
            tokens_generated=2,
            confidence=worker.confidence,
            level=self.level,
            model=f"models/{self.level}",
            version=f"{self.level}-v1",
            seconds={"prefill": 0.2},
            cpu_s=0.4,
        )


class TooLong(SageError):
    code = "model.context_too_long.test"
    remote_code = "model.context_too_long"


class World:
    """Everything `Ports` asks for, and a record of all that was said and kept."""

    def __init__(self) -> None:
        self.clock = VirtualClock()
        self.workers = {level.name: Worker() for level in CONFIG.levels}
        self.metabolic: MetabolicState | None = state()
        self.roused: MetabolicState | SageError = state(number=5)
        self.rouses: list[Rouse] = []
        self.context: Classified | SageError = Classified(
            session="s", context=Context.MOVING, confidence=0.7, cluster=3, snarc=Snarc(salience=0.4), why="known"
        )
        self.energy: Energy | None = Energy(atp=80, capacity=100, income=0, spent={}, atp_per_cpu_s=0.5)
        self.gone: frozenset[str] = frozenset()
        self.conversations: dict[str, Conversation] = {}
        self.said: list[Any] = []
        self.kept: list[Finished] = []
        self.traces: list[TraceReply] = []
        self.parts: list[ReplyPart] = []
        self.recalled = Recalled(why="none")
        self.asked: list[Question] = []
        self.remembered: list[tuple[Question, Finished]] = []
        self.costed: dict[str, LevelCosts] = {}
        self.wishes: list[Reserve] = []
        self.available: float | SageError = 100.0
        """ATP that the controller grants an exchange; or what asking for it comes to."""
        self.crisis = False
        """Nobody is refused."""
        self.held: dict[str, float] = {}
        self.cpu_s: dict[str, float] = {}
        self.delivered: list[Delivery] = []
        self.undeliverable: Exception | None = None
        self.chance = 0.99
        self.serial = 0

    # Ports

    def mono_ns(self) -> int:
        return self.clock.mono_ns()

    def draw(self) -> float:
        return self.chance

    def outlook(self) -> Outlook:
        return Outlook(metabolic=self.metabolic, energy=self.energy, gone=self.gone, cpu_s=dict(self.cpu_s))

    def live_values(self) -> LiveValues:
        """Five past two on Monday, 3 May 2027."""
        return LiveValues(1_809_353_100.0, local=lambda at: datetime.fromtimestamp(at, UTC).replace(tzinfo=None))

    def say(self, body: Any, trace: bytes) -> None:
        assert trace == TRACE
        self.said.append(body)

    async def rouse(self, request: Rouse, trace: bytes) -> MetabolicState:
        self.rouses.append(request)
        if isinstance(self.roused, SageError):
            raise self.roused
        return self.roused

    async def classify(self, request: Classify, trace: bytes) -> Classified:
        if isinstance(self.context, SageError):
            raise self.context
        return self.context

    @asynccontextmanager
    async def generate(
        self, worker: str, request: Generate, *, deadline: float, trace: bytes
    ) -> AsyncIterator[Generation]:
        assert deadline > 0
        script = self.workers.get(worker.removeprefix("model_worker/"))
        if script is None:
            raise UnknownNode("nobody of that name is here", place=worker)
        script.requests.append(request)
        if sum(len(message.content) for message in request.messages) > script.takes:
            raise TooLong("too many tokens")
        yield Script(worker.removeprefix("model_worker/"), script, self.clock)

    def costs(self, level: str) -> LevelCosts | None:
        return self.costed.get(level)

    async def reserve(self, request: Reserve, trace: bytes) -> Reserved:
        self.wishes.append(request)
        if isinstance(self.available, SageError):
            raise self.available
        granted = self.crisis or request.least or request.atp <= self.available
        if granted:
            self.held[request.ident] = request.atp
        return Reserved(
            ident=request.ident,
            granted=granted,
            atp=self.held.get(request.ident, 0.0),
            remaining=self.available,
            available=self.available,
            reason="" if granted else "too dear",
        )

    async def deliver(self, owed: Sequence[Delivery]) -> None:
        if self.undeliverable is not None:
            raise self.undeliverable
        self.delivered += owed

    async def conversation(self, session: str) -> Conversation:
        return self.conversations.get(session, Conversation())

    async def recall(self, question: Question) -> Recalled:
        self.asked.append(question)
        return self.recalled

    async def remember(self, question: Question, finished: Finished) -> None:
        self.remembered.append((question, finished))

    async def keep(self, finished: Finished, conversation: Conversation | None, trace: TraceReply) -> None:
        self.kept.append(finished)
        self.traces.append(trace)
        if conversation is not None:
            self.conversations[finished.answer.session] = conversation

    # What tests ask

    async def give(self, part: ReplyPart) -> None:
        self.parts.append(part)

    def exchange(self, text: str, **changes: Any) -> Exchange:
        self.serial += 1
        deadline_ns = self.clock.mono_ns() + changes.pop("within_s", 60) * 10**9
        return Exchange(
            ask=Ask(text=text, **{"session": "s", **changes}),
            ident=f"e{self.serial}",
            trace=TRACE,
            give=self.give,
            mono_ns=self.clock.mono_ns,
            deadline_ns=deadline_ns,
        )

    def heard(self, kind: type) -> list[Any]:
        return [body for body in self.said if type(body) is kind]

    @property
    def aloud(self) -> str:
        """What stands of what was given out."""
        text = ""
        for part in self.parts:
            text = part.text if part.restart else text + part.text
        return text


def responder(world: World, *verifiers: Any, config: DialogueConfig = CONFIG) -> Responder:
    return Responder(config, load_patterns(), TRUST, verifiers, world)


async def ask(world: World, text: str, *verifiers: Any, **changes: Any) -> Answer:
    return await responder(world, *verifiers).respond(world.exchange(text, **changes))
