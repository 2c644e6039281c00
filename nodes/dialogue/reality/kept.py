"""What others keep of a conversation, as assumptions: attention state in the workers, the sense of where it is.

    prefix/<level>/<conversation>   sensory: the worker holds so many tokens of it      rests on its model, and on
    sense/<conversation>            context: the classifier knows where it is           conversation/<conversation>

A worker's next reply says how many of the tokens it still had; far fewer than it was taken to have is a surprise. What
is broken, because the conversation it rests on was forgotten or somebody saw it to be wrong, is dropped where it is
kept, and computed again with the next turn. The broken assumption itself is the note that this is still owed; it goes
once it was done, or once more is owed than is kept of that.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any

import structlog

from nodes.dialogue.deliveries import CONTEXT, Finished
from nodes.dialogue.reality.answers import model_key, outdated
from nodes.dialogue.reality.assumption import Assumption, Evidence, Level, Standing
from nodes.dialogue.reality.cache import Reality
from protocol.errors import BadRequest, SageError, UnknownService
from protocol.messages.context import ForgetContext
from protocol.messages.model import ForgetState, Generated

PREFIX, SENSE, CONVERSATION = "prefix", "sense", "conversation"
RETRY_S = 30.0

Call = Callable[[str, Any], Awaitable[Any]]
"""(node, request) → reply; raises a `SageError`."""


def take_in(reality: Reality, finished: Finished, now_ns: int) -> None:
    """After an answer: what the workers hold of its conversation now, and that its sense is known."""
    session = finished.answer.session
    name = reality.names.conversation(session)
    conversation = f"{CONVERSATION}/{name}"
    if not (_owed(reality, conversation) or reality.stands(conversation, session)):
        reality.hold(
            _held(conversation, Level.CONTEXT, f"the conversation {session!r} goes on", session, session), now_ns
        )
    for attempt, _ in finished.attempts:
        if outdated(reality, attempt):
            continue
        level = attempt.level.name
        _prefix(
            reality, f"{PREFIX}/{level}/{name}", (model_key(level), conversation), attempt.generated, session, now_ns
        )
    sense = f"{SENSE}/{name}"
    if finished.classified is not None and not (_owed(reality, sense) or reality.stands(sense, session)):
        known = f"{CONTEXT} knows where the conversation {session!r} is"
        reality.hold(_held(sense, Level.CONTEXT, known, session, session, (conversation,)), now_ns)


def forget(reality: Reality, session: str, levels: Iterable[str], now_ns: int) -> int:
    """A conversation is to be forgotten: its answers at once, what others keep of it as soon as they are reached.

    That is asked of everybody who may keep something, whether or not anything is assumed of it. How many answers.
    """
    name = reality.names.conversation(session)
    conversation = f"{CONVERSATION}/{name}"
    with reality.transaction():
        forgotten, _ = reality.forget(owner=name)
        if reality.shelf.row(conversation) is None:
            reality.hold(
                _held(conversation, Level.CONTEXT, "a conversation that was forgotten", session, session), now_ns
            )
        reality.break_off(conversation, "it was forgotten", now_ns)
        for key in (f"{SENSE}/{name}", *(f"{PREFIX}/{level}/{name}" for level in levels)):
            if reality.shelf.row(key) is None:
                unknown = _held(key, Level.CONTEXT, "what may be kept of it", session, session, (conversation,))
                reality.hold(unknown, now_ns)
            reality.break_off(key, "its conversation was forgotten", now_ns)
    return forgotten


class Dropper:
    """Has what is broken dropped where it is kept, as often as it takes."""

    def __init__(
        self, reality: Reality, call: Call, workers: Mapping[str, str], log: structlog.stdlib.BoundLogger
    ) -> None:
        """`workers`: level → node."""
        self._reality = reality
        self._call = call
        self._workers = workers
        self._log = log
        self._wake = asyncio.Event()
        self.dropped = 0
        self.postponed = 0
        self.refused = 0
        """Asked of nodes that cannot drop anything."""
        self._told_given_up = 0

    def poke(self) -> None:
        """Something was broken, or somebody is back: look at once."""
        self._wake.set()

    async def run(self) -> None:
        while True:
            self._wake.clear()
            try:
                left = await self.round()
            except Exception:  # A full disk, perhaps. What is owed is written down, and its turn comes again.
                self._log.exception("reality.dropping_failed")
                left = 1
            try:
                async with asyncio.timeout(RETRY_S if left else None):
                    await self._wake.wait()
            except TimeoutError:
                continue

    async def round(self) -> int:
        """Try everything that is owed once; how many are left."""
        self._tell_given_up()
        left = 0
        for kind in (PREFIX, SENSE):
            for owed in await asyncio.to_thread(self._reality.broken, kind):
                left += not await self._drop(owed)
        for done in await asyncio.to_thread(self._reality.broken, CONVERSATION):
            if not await asyncio.to_thread(self._reality.bears, done.key):
                await asyncio.to_thread(self._reality.forget, key=done.key)
        return left

    async def _drop(self, owed: Assumption) -> bool:
        node, request = self._request(owed)
        try:
            await self._call(node, request)
        except (UnknownService, BadRequest) as error:
            self.refused += 1
            self._log.warning("reality.drop_refused", node=node, error=str(error))
        except SageError as error:
            self.postponed += 1
            self._log.info("reality.drop_postponed", node=node, error=str(error))
            return False
        else:
            self.dropped += 1
        await asyncio.to_thread(self._reality.forget, key=owed.key)
        return True

    def _tell_given_up(self) -> None:
        """Say of debts that were given up, for want of room, that nobody has dropped what they speak of."""
        if (given_up := self._reality.given_up) > self._told_given_up:
            self._log.warning("reality.drops_given_up", count=given_up - self._told_given_up, total=given_up)
            self._told_given_up = given_up

    def _request(self, owed: Assumption) -> tuple[str, Any]:
        kind, _, rest = owed.key.partition("/")
        if kind == SENSE:
            return CONTEXT, ForgetContext(session=owed.subject)
        level = rest.partition("/")[0]
        return self._workers.get(level, f"model_worker/{level}"), ForgetState(session=owed.subject)

    def stats(self) -> dict[str, float]:
        return {"dropped": self.dropped, "drops_postponed": self.postponed, "drops_refused": self.refused}


def _prefix(
    reality: Reality, key: str, rests_on: tuple[str, ...], generated: Generated, session: str, now_ns: int
) -> None:
    row = reality.shelf.row(key)
    if row is not None and row.standing is Standing.BROKEN:
        return
    if row is not None:
        seen = Evidence(value=float(generated.tokens_reused), by="the worker's reply")
        reality.observe(key, seen, now_ns)
    tokens = generated.tokens_reused + generated.tokens_computed + max(0, generated.tokens_generated - 1)
    level = rests_on[0].partition("/")[2]
    statement = f"{level} holds {tokens} tokens of the conversation {session!r}"
    reality.hold(_held(key, Level.SENSORY, statement, float(tokens), session, rests_on), now_ns, grown=True)


def _owed(reality: Reality, key: str) -> bool:
    """Whether it is broken and still waits to be dropped."""
    row = reality.shelf.row(key)
    return row is not None and row.standing is Standing.BROKEN


def _held(
    key: str, level: Level, statement: str, value: str | float, session: str, rests_on: tuple[str, ...] = ()
) -> Assumption:
    return Assumption(
        key=key, level=level, statement=statement, value=value, confidence=1.0, rests_on=rests_on, subject=session
    )
