"""A conversation: what was asked and answered, bounded, as the models see it.

When it grows over its limits the older half of its turns goes at once. Dropping one turn at a time would change the
beginning of what the models read every time, and with it throw away all the attention state they have kept.
"""

from __future__ import annotations

from typing import Annotated

import msgspec

from protocol.messages.model import ChatMessage

PER_TURN = 2
"""Messages of one turn: a question and its answer."""


class ConversationLimits(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    turns: Annotated[int, msgspec.Meta(ge=0)] = 12
    characters: Annotated[int, msgspec.Meta(ge=0)] = 4000


class Conversation(msgspec.Struct, frozen=True, kw_only=True):
    messages: tuple[ChatMessage, ...] = ()
    """Questions and answers in turn, oldest first."""
    level: str = ""
    """The level that answered last."""
    exchange: str = ""
    """The exchange that answered last, where a model answered it."""
    found_wrong: str = ""
    """The verifier that found its answer wrong; empty: none did."""
    ended_ns: int = 0
    """When it was whole, on the monotonic clock; 0: it was cut short, no model gave it, or more was asked since."""


def asking(conversation: Conversation, question: str, system: str = "") -> list[ChatMessage]:
    """What a model is given: the system's instruction where there is one, what was said before, the question."""
    instruction = [ChatMessage(role="system", content=system)] if system else []
    return [*instruction, *conversation.messages, ChatMessage(role="user", content=question)]


def extended(
    conversation: Conversation, question: str, answer: str, level: str, limits: ConversationLimits, exchange: str = ""
) -> Conversation:
    """The conversation with one more turn, within its limits."""
    turn = (ChatMessage(role="user", content=question), ChatMessage(role="assistant", content=answer))
    grown = Conversation(messages=(*conversation.messages, *turn), level=level, exchange=exchange)
    while grown.messages and not _fits(grown, limits):
        grown = shortened(grown)
    return grown


def shortened(conversation: Conversation) -> Conversation:
    """Without the older half of its turns, at least one; an empty conversation stays empty."""
    turns = len(conversation.messages) // PER_TURN
    dropped = PER_TURN * ((turns + 1) // 2)
    return msgspec.structs.replace(conversation, messages=conversation.messages[dropped:])


def _fits(conversation: Conversation, limits: ConversationLimits) -> bool:
    characters = sum(len(message.content) for message in conversation.messages)
    return len(conversation.messages) <= PER_TURN * limits.turns and characters <= limits.characters
