"""One kept exchange, and the keyed digests by which exchanges are told apart and split.

Digests are keyed: a short question could be found from its plain digest by trying all short questions.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Sequence

import msgspec

from protocol.messages.dream import Keep, Revise
from protocol.messages.model import ChatMessage

_NOT_A_WORD = re.compile(r"[\W_]+")


class Example(msgspec.Struct, frozen=True, kw_only=True):
    """An exchange as it was offered, without what only served to offer it."""

    exchange: str
    messages: tuple[ChatMessage, ...]
    """The conversation up to the question, which is the last."""
    answer: str
    level: str
    version: str
    context: str
    cluster: int
    salience: float
    score: float | None
    """0..1 where something other than the model itself judged the answer."""
    verifier: str
    confidence: float
    received_ns: int

    @property
    def question(self) -> str:
        return self.messages[-1].content

    @property
    def stratum(self) -> str:
        return f"{self.context}/{self.cluster}"


def from_offer(keep: Keep, received_ns: int) -> Example:
    """The example in an offer that `unfit` found nothing wrong with."""
    return Example(
        exchange=keep.exchange,
        messages=tuple(keep.messages),
        answer=keep.answer,
        level=keep.level,
        version=keep.version,
        context=keep.context,
        cluster=keep.cluster,
        salience=keep.snarc.salience,
        score=keep.score,
        verifier=keep.verifier,
        confidence=keep.confidence,
        received_ns=received_ns,
    )


def revised_by(example: Example, revise: Revise) -> Example:
    """The example with what was learned of it later; what is not known any better stays."""
    return msgspec.structs.replace(
        example,
        salience=example.salience if revise.snarc is None else revise.snarc.salience,
        score=example.score if revise.score is None else revise.score,
        verifier=example.verifier if revise.score is None else revise.source,
    )


def unfit(keep: Keep) -> str:
    """Why nothing can be learned from the offer; empty where something can."""
    if not keep.messages or keep.messages[-1].role != "user":
        return "the last message is not a question"
    if not keep.messages[-1].content.strip():
        return "the question is empty"
    if not keep.answer.strip():
        return "it was not answered"
    return ""


def normalised(text: str) -> str:
    """`text` without case, punctuation and spacing: what makes two questions the same when they are split."""
    return _NOT_A_WORD.sub(" ", text.casefold()).strip()


def digest(secret: bytes, *parts: str) -> str:
    """Keyed digest of the parts, 32 hexadecimal digits; where one part ends and the next begins counts."""
    total = hmac.new(secret, digestmod=hashlib.sha256)
    for part in parts:
        data = part.encode("utf-8", "surrogatepass")
        total.update(len(data).to_bytes(8, "big") + data)
    return total.hexdigest()[:32]


def conversation_digest(secret: bytes, messages: Sequence[ChatMessage], *further: str) -> str:
    """Keyed digest of a whole conversation, and of `further` texts such as the answer."""
    return digest(secret, *(text for message in messages for text in (message.role, message.content)), *further)


def lot(secret: bytes, purpose: str, text: str) -> float:
    """A number in [0, 1) drawn by the digest of `text`: always the same for it, uniform over texts."""
    return int(digest(secret, purpose, text)[:13], 16) / 16**13
