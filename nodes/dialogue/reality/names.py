"""Names under which assumptions are found without telling what was said: keyed digests, of this host alone."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from nodes.dialogue.reality.assumption import Value
from nodes.dialogue.reality.surprise import same_words

if TYPE_CHECKING:
    from protocol.messages.model import ChatMessage

BYTES = 16
PURPOSE = "reality/names"


class Names:
    def __init__(self, key: bytes) -> None:
        """`key`: at most 64 bytes that nobody else knows."""
        self._key = key

    def conversation(self, session: str) -> str:
        return self._digest(b"conversation", session.encode())

    def question(self, messages: Sequence[ChatMessage], limit: int) -> str:
        """Of everything an answer depends on beside the model: all that the model is given, and how long it may say."""
        return self._digest(b"question", msgspec.msgpack.encode((list(messages), limit)))

    def value(self, value: Value) -> str:
        """The same for texts that differ in spacing or case only."""
        said = same_words(value) if isinstance(value, str) else value
        return self._digest(b"value", msgspec.msgpack.encode(said, order="deterministic"))

    def _digest(self, kind: bytes, data: bytes) -> str:
        return hashlib.blake2b(data, digest_size=BYTES, key=self._key, person=kind[:16]).hexdigest()
