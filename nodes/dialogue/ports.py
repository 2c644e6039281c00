"""What the path from words to an answer needs of the world. The node gives the real one, tests give their own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol

from nodes.dialogue.choice import NO_TABLE
from nodes.dialogue.conversation import Conversation
from nodes.dialogue.deliveries import Finished
from nodes.dialogue.grounds import Question, Recalled
from nodes.dialogue.outbox import Delivery
from nodes.dialogue.patterns import LiveValues
from nodes.dialogue.readiness import Readiness
from nodes.dialogue.replaying import NOTHING_LEARNED, Lesson
from protocol.messages.context import Classified, Classify
from protocol.messages.dialogue import TraceReply
from protocol.messages.metabolism import Energy, MetabolicState, Reserve, Reserved, Rouse
from protocol.messages.model import Generate, Generated, Token
from protocol.messages.trust import TrustTable
from runtime.power.costs import LevelCosts


@dataclass(frozen=True)
class Outlook:
    """What was last heard of the others."""

    metabolic: MetabolicState | None = None
    energy: Energy | None = None
    table: TrustTable = NO_TABLE
    gone: frozenset[str] = field(default_factory=frozenset)
    """Nodes known not to be there."""
    ready: Mapping[str, Readiness] = field(default_factory=dict)
    """Worker → whether it has its model in memory, where it says so."""
    cpu_s: Mapping[str, float] = field(default_factory=dict)
    """Worker → processor seconds of its process, as it last said."""
    lesson: Lesson = NOTHING_LEARNED
    """What replayed questions taught."""


class Generation(Protocol):
    """An answer while a model makes it: its tokens, then the reply."""

    def __aiter__(self) -> AsyncIterator[Token]: ...

    @property
    def reply(self) -> Generated: ...


class Ports(Protocol):
    """Everything asked of other nodes raises a `SageError` where it is not to be had."""

    def mono_ns(self) -> int: ...

    def draw(self) -> float:
        """Uniform in [0, 1)."""

    def outlook(self) -> Outlook: ...

    def live_values(self) -> LiveValues:
        """What a pattern's answer may name; state and energy are known to the path itself."""

    def say(self, body: Any, trace: bytes) -> None:
        """Say an event."""

    async def rouse(self, request: Rouse, trace: bytes) -> MetabolicState: ...

    async def classify(self, request: Classify, trace: bytes) -> Classified: ...

    def generate(
        self, worker: str, request: Generate, *, deadline: float, trace: bytes
    ) -> AbstractAsyncContextManager[Generation]: ...

    def costs(self, level: str) -> LevelCosts | None:
        """What the level costs on this machine; None where it was not calibrated."""

    async def reserve(self, request: Reserve, trace: bytes) -> Reserved: ...

    async def deliver(self, owed: Sequence[Delivery]) -> None:
        """Write down what others are to be told, and have it brought to them."""

    async def conversation(self, session: str) -> Conversation: ...

    async def recall(self, question: Question) -> Recalled:
        """The answer that was given before on the same grounds, if it holds."""

    async def remember(self, question: Question, finished: Finished) -> None:
        """Take in what a finished exchange shows: of its answer, of the models, of what others keep of it."""

    async def keep(self, finished: Finished, conversation: Conversation | None, trace: TraceReply) -> None:
        """Write down what must not be lost, at once and as a whole; `conversation` as it stands now, if it changed."""
