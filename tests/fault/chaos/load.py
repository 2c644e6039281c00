"""What the system has to bear meanwhile: questions put to it without a pause, and pings to every node.

Whatever happens to the system, each call must end: with an answer or a named error, and by its deadline.
"""

from __future__ import annotations

import asyncio
import itertools
import random
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from protocol.errors import SageError
from protocol.messages.dialogue import Answer, Ask
from protocol.messages.hub import ListNodes
from protocol.messages.node import Ping
from runtime.bus.frames import HUB
from runtime.client import Client

DIALOGUE = "dialogue"
PATTERN = "pattern"
QUESTIONS = (
    "what is two plus three",
    "what is nine minus four",
    "which is larger, seven or four",
    "what comes after monday",
    "turn on the lamp in the kitchen",
    "the keys are in the hall. where are the keys",
)
PATTERNS = ("hello", "thank you", "what time is it")
PATTERN_SHARE = 0.1
DEADLINES_S = (1.5, 4.0, 10.0)
PING_S = 1.0
BREATH_S = 0.1
"""After each call: a caller that is refused at once must not do nothing but call."""
ANSWERED = "answered"


@dataclass(frozen=True)
class Ended:
    """A call from its beginning to its end, in monotonic seconds."""

    target: str
    began: float
    ended: float
    deadline_s: float
    outcome: str
    """`answered`, or the code of an error."""

    @property
    def late_s(self) -> float:
        """How long after its deadline it ended; negative before it."""
        return self.ended - self.began - self.deadline_s


class Load:
    """The callers, and what became of their calls. Once `over` is set, no call is begun."""

    def __init__(self, client: Client, seed: int) -> None:
        self.calls: list[Ended] = []
        self.answers: list[Answer] = []
        """Those that models gave: each owes the ledger a record for every level tried."""
        self.unnamed: list[str] = []
        """Calls that ended in something else than a `SageError`."""
        self.over = asyncio.Event()
        self._client = client
        self._seed = seed
        self._begun = 0
        self._under_way: dict[int, tuple[str, float, float]] = {}
        self._answered = asyncio.Condition()
        self._last_answered_began = 0.0

    async def asker(self, name: str) -> None:
        """Put one question after another, in a conversation of its own."""
        chance = random.Random(f"{self._seed}/{name}")
        while not self.over.is_set():
            text = chance.choice(PATTERNS if chance.random() < PATTERN_SHARE else QUESTIONS)
            began = time.monotonic()
            answer = await self._call(
                DIALOGUE, Ask(text=text, session=name, source="chaos"), chance.choice(DEADLINES_S)
            )
            if isinstance(answer, Answer) and answer.answered_by != PATTERN:
                self.answers.append(answer)
                async with self._answered:
                    self._last_answered_began = max(self._last_answered_began, began)
                    self._answered.notify_all()
            await asyncio.sleep(chance.uniform(0, 2 * BREATH_S))

    async def pinger(self, nodes: Sequence[str]) -> None:
        """Call each node in turn."""
        for node in itertools.cycle(nodes):
            if self.over.is_set():
                return
            await self._call(node, ListNodes() if node == HUB else Ping(payload=b"?"), PING_S)
            await asyncio.sleep(BREATH_S)

    async def answered(self, since: float) -> float:
        """Wait until a model has answered a question that was put after `since`; the seconds from then until now."""
        async with self._answered:
            await self._answered.wait_for(lambda: self._last_answered_began > since)
        return time.monotonic() - since

    def hanging(self) -> list[str]:
        """Calls that are past their deadline and have not ended."""
        now = time.monotonic()
        return [
            f"a call to {target} of {deadline_s:g} s has lasted {now - began:.1f} s"
            for target, began, deadline_s in self._under_way.values()
            if now - began > deadline_s
        ]

    def outcomes(self) -> dict[str, int]:
        return dict(Counter(call.outcome for call in self.calls).most_common())

    async def _call(self, target: str, request: Ask | ListNodes | Ping, deadline_s: float) -> object:
        """The reply, or None where there was none."""
        self._begun += 1
        ident, began, outcome, reply = self._begun, time.monotonic(), ANSWERED, None
        self._under_way[ident] = (target, began, deadline_s)
        try:
            reply = await self._client.call(target, request, deadline=deadline_s)
        except SageError as error:
            outcome = error.code
        except Exception as error:
            outcome = type(error).__name__
            self.unnamed.append(f"a call to {target} ended in {error!r}")
        del self._under_way[ident]
        self.calls.append(Ended(target, began, time.monotonic(), deadline_s, outcome))
        return reply
