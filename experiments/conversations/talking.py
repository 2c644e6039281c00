"""Conversations with two running systems: the one under trial, and one whose largest level answers the same words."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import msgspec

from experiments.conversations.person import Person
from experiments.conversations.script import Saying
from experiments.conversations.world import World
from experiments.reference.split import seeded
from protocol.errors import SageError
from protocol.messages.dialogue import Answer, Ask, Feedback
from protocol.messages.trust import Replay, Replayed
from runtime.client import Client

ANSWER_S, NIGHT_S = 60.0, 300.0
SOURCE = "experiment"


class Heard(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one saying in one system."""

    conversation: int
    turn: int
    kind: str
    text: str
    right: bool | None
    """None where nobody can tell."""
    first_s: float
    """Until the first piece of an answer, which may have been withdrawn later."""
    standing_s: float
    """Until the first piece of the answer that stood."""
    whole_s: float
    answered_by: str = ""
    """Empty: there was no answer, for the reason in `error`."""
    answer: str = ""
    why: str = ""
    context: str = ""
    state: str = ""
    tried: list[str] = []
    atp: float = 0.0
    exchange: str = ""
    complete: bool = True
    error: str = ""


@dataclass(frozen=True)
class Both:
    ours: Heard
    largest: Heard


@dataclass(frozen=True)
class Systems:
    ours: Client
    largest: Client
    level: str
    """The largest one."""


Report = Callable[[str], None]


async def converse(
    systems: Systems, script: Sequence[Saying], world: World, number: int, seed: int
) -> tuple[list[Both], list[str]]:
    """One conversation to its end, and what went wrong with the person's feedback."""
    person = Person(script, world, seeded(f"person/{seed}/{number}"))
    heard: list[Both] = []
    unheard: list[str] = []
    while (saying := person.says()) is not None:
        both = await _turn(systems, person, saying, number, len(heard))
        heard.append(both)
        value = person.feedback(both.ours.right) if both.ours.tried else None
        if value is not None:
            try:
                await systems.ours.call(
                    "dialogue", Feedback(exchange=both.ours.exchange, value=value), deadline=ANSWER_S
                )
            except SageError as error:
                unheard.append(str(error))
        person.reacts(saying, both.ours.right)
    return heard, unheard


async def night(ours: Client) -> Replayed:
    """The questions of the day go through all levels, and the price is tuned: what follows a dream."""
    async with ours.stream("dialogue", Replay(count=1000), deadline=NIGHT_S) as stream:
        found: Replayed = await stream.finish()
        return found


async def _turn(systems: Systems, person: Person, saying: Saying, number: int, turn: int) -> Both:
    """The same words to both, by turns the one and the other first, so that neither always finds a warm processor."""

    async def ask(client: Client, level: str) -> Heard:
        return await _ask(client, person, saying, number, turn, level)

    if turn % 2:
        largest = await ask(systems.largest, systems.level)
        return Both(await ask(systems.ours, ""), largest)
    return Both(await ask(systems.ours, ""), await ask(systems.largest, systems.level))


async def _ask(client: Client, person: Person, saying: Saying, number: int, turn: int, level: str) -> Heard:
    request = Ask(text=saying.text, session=f"conversation-{number}", source=SOURCE, level=level)
    began = time.monotonic()
    first = standing = None
    answer: Answer | None = None
    error = ""
    try:
        async with client.stream("dialogue", request, deadline=ANSWER_S) as stream:
            async for part in stream:
                now = time.monotonic() - began
                first = now if first is None else first
                standing = now if standing is None or part.restart else standing
            answer = stream.reply
    except SageError as failed:
        error = str(failed)
    whole = time.monotonic() - began
    heard = Heard(
        conversation=number,
        turn=turn,
        kind=str(saying.kind),
        text=saying.text,
        right=person.judge(saying, answer),
        first_s=whole if first is None else first,
        standing_s=whole if standing is None else standing,
        whole_s=whole,
        error=error,
    )
    return heard if answer is None else _answered(heard, answer)


def _answered(heard: Heard, answer: Answer) -> Heard:
    return msgspec.structs.replace(
        heard,
        answered_by=answer.answered_by,
        answer=answer.text,
        why=answer.why,
        context=str(answer.context or ""),
        state=answer.metabolic_state,
        tried=[one.level for one in answer.tried],
        atp=answer.atp,
        exchange=answer.exchange,
        complete=answer.complete,
    )
