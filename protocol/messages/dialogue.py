"""Questions, answers, and everything known about an exchange."""

from __future__ import annotations

import msgspec

from protocol.messages.audio import Stage
from protocol.messages.context import Context, Snarc


class Ask(msgspec.Struct, frozen=True, kw_only=True):
    """Put words to the system. The same path serves voice, HTTP and the command line."""

    text: str
    session: str = "default"
    source: str = "cli"
    """`voice`, `cli`, `http` …"""
    speak: bool = False
    """Whether the answer is also spoken."""
    level: str = ""
    """A level that must answer; empty leaves the choice to trust."""
    max_new_tokens: int = 0
    """0: as the level's configuration says."""
    critical: bool = False
    """A wrong answer would do harm: the most capable level answers."""
    utterance_end_ns: int = 0
    """Monotonic time at which the speaker fell silent; 0 where nobody spoke."""
    stages: list[Stage] = []
    """What happened before dialogue got the words."""
    loudness: float | None = None
    """Of the voice, in decibels against full scale; None where nobody spoke."""
    rate: float | None = None
    """Words a second; None where nobody spoke."""


class LevelTried(msgspec.Struct, frozen=True, kw_only=True):
    """One model's attempt at an exchange."""

    level: str
    model: str = ""
    version: str = ""
    confidence: float = 0.0
    tokens_reused: int = 0
    tokens_computed: int = 0
    tokens_generated: int = 0
    seconds: float = 0.0
    cpu_s: float = 0.0
    accepted: bool = True
    why: str = ""


class ExchangeStarted(msgspec.Struct, frozen=True, kw_only=True):
    exchange: str
    session: str
    source: str
    text: str


class ReplyPart(msgspec.Struct, frozen=True, kw_only=True):
    """A piece of an answer while it is being made. The pieces of an exchange joined are the answer.

    `restart` says that what came before was withdrawn: a larger level answers instead.
    """

    exchange: str
    session: str
    index: int
    text: str
    level: str = ""
    restart: bool = False
    speak: bool = False


class ReplyCompleted(msgspec.Struct, frozen=True, kw_only=True):
    exchange: str
    session: str
    text: str
    parts: int
    speak: bool = False


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """The answer, who gave it and why that one."""

    exchange: str
    session: str
    question: str
    text: str
    answered_by: str
    """`pattern`, `assumption` (an answer given before that still holds), or a level."""
    why: str
    context: Context | None = None
    snarc: Snarc | None = None
    confidence: float = 0.0
    tried: list[LevelTried] = []
    atp: float = 0.0
    score: float | None = None
    """0..1 where a verifier could judge the answer."""
    verifier: str = ""
    metabolic_state: str = ""
    metabolic_number: int = 0
    stages: list[Stage] = []
    trace: bytes = b""
    complete: bool = True
    """False where the answer was cut by a limit of tokens or time; `why` says which."""


class ExchangeCompleted(msgspec.Struct, frozen=True, kw_only=True):
    """Said when an exchange is over, answered or not."""

    answer: Answer | None
    exchange: str
    session: str
    error: str = ""


class TraceRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Ask for the stages of one exchange, by trace or exchange id or a beginning of it; empty: the last."""

    ident: str = ""


class TraceReply(msgspec.Struct, frozen=True, kw_only=True):
    exchange: str
    trace: bytes
    question: str
    answered_by: str
    stages: list[Stage]
    found: bool = True


class ForgetSession(msgspec.Struct, frozen=True, kw_only=True):
    session: str


class Forgotten(msgspec.Struct, frozen=True, kw_only=True):
    messages: int


class Feedback(msgspec.Struct, frozen=True, kw_only=True):
    """Say how good an answer was, after it was given."""

    exchange: str
    """Its id or trace id, or a beginning of either; empty: the last."""
    value: float
    """0..1: how right it was."""
    source: str = "user"
    """Who says so: `user`, or a verifier's name."""


class FeedbackTaken(msgspec.Struct, frozen=True, kw_only=True):
    """It is written down, and reaches whoever learns from it even if they are away now."""

    exchange: str
    question: str
