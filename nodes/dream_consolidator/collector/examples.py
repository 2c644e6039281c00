"""One kept exchange, and the keyed digests by which exchanges are told apart and split.

Digests are keyed: a short question could be found from its plain digest by trying all short questions.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence

import msgspec

from protocol.messages.context import Snarc
from protocol.messages.dream import Keep, Revise
from protocol.messages.model import ChatMessage

_NOT_A_WORD = re.compile(r"[\W_]+")
_UNJUDGED = 0.5
"""What an answer that nobody judged counts beside one that was: better than a wrong one, worse than a right one."""


class Example(msgspec.Struct, frozen=True, kw_only=True):
    """An exchange as it was offered, without what only served to offer it.

    Its answer teaches every level below its own. What larger levels said to its question in dreams, and how likely they
    found each token, the teachers' cache holds under `exchange`.
    """

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
    session: str = ""
    snarc: Snarc | None = None
    """All parts of its salience; None where only the whole was kept."""
    ids: tuple[int, ...] = ()
    """Token ids of the answer, by the tokenizer of `version`; empty where they are not known, or would tell what was
    taken out. Those of the question are what that version's template makes of `messages`."""
    met: int = 1
    """How many exchanges said this: those merged into it, and itself."""

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
        session=keep.session,
        snarc=keep.snarc,
        ids=tuple(keep.ids),
    )


def revised_by(example: Example, revise: Revise) -> Example:
    """The example with what was learned later of it, or of one merged into it; what is not known any better stays."""
    changed = example
    if revise.snarc is not None and (revise.exchange == example.exchange or revise.snarc.salience > example.salience):
        changed = msgspec.structs.replace(changed, salience=revise.snarc.salience, snarc=revise.snarc)
    if revise.score is not None:
        changed = msgspec.structs.replace(changed, score=revise.score, verifier=revise.source)
    return changed


def merged(kept: Example, newcomer: Example, rank: Mapping[str, int]) -> Example:
    """One example of two that say the same: the words of the one with more merit, and all that is known of either.

    The answers being the same, a judgement of one holds for both; the later one holds. Where and when it was first met
    stays, so that a question asked again is neither new nor in another stratum.
    """
    better = newcomer if merit(newcomer, rank) > merit(kept, rank) else kept
    judged = kept if newcomer.score is None else newcomer
    salient = newcomer if newcomer.salience > kept.salience else kept
    return msgspec.structs.replace(
        better,
        score=judged.score,
        verifier=judged.verifier,
        salience=salient.salience,
        snarc=salient.snarc,
        context=kept.context,
        cluster=kept.cluster,
        received_ns=kept.received_ns,
    )


def merit(example: Example, rank: Mapping[str, int]) -> tuple[float, int, int]:
    """Judged right goes before unjudged before wrong, then the larger level's answer, then the later.

    `rank` counts levels from the least capable.
    """
    judged = _UNJUDGED if example.score is None else example.score
    return judged, rank.get(example.level, -1), example.received_ns


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
