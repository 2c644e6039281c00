"""A conversation that is too long, without its oldest exchanges: for callers who would rather that than be refused."""

from collections.abc import Iterator, Sequence

from protocol.messages.model import ChatMessage

STEP = 4
"""Exchanges left out at once: the turns after that begin alike, so that what was computed of them can be reused."""


def shorter(messages: Sequence[ChatMessage]) -> Iterator[list[ChatMessage]]:
    """The messages, then without their first STEP exchanges, then without twice as many, and so on.

    System messages and the last exchange stay. An exchange begins with a user's message.
    """
    yield list(messages)
    begins = [index for index, message in enumerate(messages) if message.role == "user"]
    for left_out in range(STEP, len(begins) + STEP - 1, STEP):
        start = begins[min(left_out, len(begins) - 1)]
        yield [message for index, message in enumerate(messages) if index >= start or message.role == "system"]
