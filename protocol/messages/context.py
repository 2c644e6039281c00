"""What kind of moment it is, and how much it matters."""

from __future__ import annotations

from enum import StrEnum

import msgspec


class Context(StrEnum):
    STABLE = "stable"
    MOVING = "moving"
    UNSTABLE = "unstable"
    NOVEL = "novel"


class Snarc(msgspec.Struct, frozen=True, kw_only=True):
    """Salience of an experience. Every part is 0..1: the share of the last ones of its kind that had less of it."""

    surprise: float = 0.0
    novelty: float = 0.0
    arousal: float = 0.0
    reward: float = 0.0
    conflict: float = 0.0
    salience: float = 0.0
    """The parts taken together, 0..1, by how much of each there is as well as by how rare that is."""
    why: str = ""


class Classify(msgspec.Struct, frozen=True, kw_only=True):
    text: str
    session: str
    speech: bool = False
    loudness: float | None = None
    """Of the voice, in decibels against full scale, where somebody spoke."""
    rate: float | None = None
    """Words a second, where somebody spoke."""


class Classified(msgspec.Struct, frozen=True, kw_only=True):
    """Context and salience of what came in."""

    session: str
    context: Context
    confidence: float
    """0..1"""
    cluster: int
    """Number of the group of similar inputs that it fell into; grows as new groups are met."""
    snarc: Snarc
    why: str = ""
    correction: float = 0.0
    """0..1: how much the words say that the answer before them was wrong."""
    probabilities: dict[Context, float] = {}
    """Of each context; they sum to 1."""
    repetition: float = 0.0
    """0..1: how surely it asks the same once more as the input before it in its conversation."""


class ExplainContext(msgspec.Struct, frozen=True, kw_only=True):
    """What would `text` be now, and why? Nothing is learned from asking."""

    text: str
    session: str = ""
    """The conversation that it would come up in; one that is not known begins with it."""


class ContextExplained(msgspec.Struct, frozen=True, kw_only=True):
    """What is seen of a text. Shares and similarities are 0..1."""

    session: str
    turns: int
    """Inputs of the conversation that are remembered one by one."""
    context: Context
    confidence: float
    probabilities: dict[Context, float]
    why: str
    encoder: str
    nearest: int
    """Number of the nearest group of everything known; -1 where nothing is known."""
    members: int
    """Inputs that it has met."""
    similarity: float
    continuity: float | None
    """Similarity to where the conversation is; None at its beginning."""
    last: float | None
    """To the input before."""
    echo: float
    """To the most alike recent input of the conversation."""
    meant: float
    """To the one or two inputs before, in what would be answered."""
    kinship: float
    """Share of what it speaks of that came up just before, or something of the same sort."""
    parallel: float
    """How much it is built like one of the two inputs before."""
    run: int
    """Inputs just before it, without a break, that are of its kind."""
    repeats: int
    """How often these very words came up of late."""
    drift: float
    """Rate of change of the conversation."""
    swinging: float
    contradiction: float
    against: str
    """In which way it is at odds with what was said."""
    weighed: dict[str, dict[str, float]]
    """Question → what it looks at → how much that speaks for yes; they add up to its log odds."""
    fingerprint: str = ""
    """Of the encoder: what else decides its vectors, such as the version of a model."""
    repetition: float = 0.0
    """How surely it asks the same once more as the input before."""


class ScoreExchange(msgspec.Struct, frozen=True, kw_only=True):
    """Ask for the salience of a finished exchange. Idempotent by `exchange`."""

    exchange: str
    session: str
    question: str
    answer: str
    context: Context
    confidence: float
    score: float | None = None
    """Outcome 0..1 where it is known."""
    levels_tried: int = 1
    verifier: str = ""
    """Who gave `score`."""
    input_nll: float | None = None
    """Nats a token: what the question cost the smallest level tried, see `Generated.input_nll`."""
    reply_nll: float | None = None
    """Nats a token: what its reply cost the same level."""
    input_excess: float | None = None
    """Nats a token: how much more the question cost it than it expected itself, see `Generated.input_excess`."""
    reply_peak: float | None = None
    """Nats: what the least likely token of its reply cost."""
    nll_level: str = ""
    """Which level that was: figures of different ones are not compared."""
    disagreement: float = 0.0
    """Confidence of the surest level that said something else than the answer; 0 where none did."""
    failures: int = 0
    """Levels that gave no answer."""
    complete: bool = True
    """False where the answer was cut."""


class ExchangeScored(msgspec.Struct, frozen=True, kw_only=True):
    exchange: str
    snarc: Snarc
    session: str = ""
    revision: int = 0
    """How often the score was changed by what was learned of the exchange later."""
    conversation: Snarc | None = None
    """Salience of the conversation as it stands with this exchange: what its attention state is worth."""
    known: bool = True
    """False: the exchange is not remembered, and nothing was scored."""
    outcome: float | None = None
    """0..1: how it turned out, as far as is known."""
    outcome_source: str = ""
    """Who says so; of several the one with the most authority, see `Reward`."""


class Reward(msgspec.Struct, frozen=True, kw_only=True):
    """Tell how an exchange turned out, after it was scored. Idempotent by all of it."""

    exchange: str
    value: float
    """0..1: how right the answer was."""
    source: str
    """`user`, a verifier's name, `correction` or `uncorrected`: see `nodes.context_classifier.rewards`."""


class ScoreConversation(msgspec.Struct, frozen=True, kw_only=True):
    """Ask what a conversation, and so its kept attention state, is worth."""

    session: str


class ConversationScored(msgspec.Struct, frozen=True, kw_only=True):
    session: str
    snarc: Snarc
    exchanges: int
    """Scored ones that it rests on; 0: nothing is known of it."""


class ForgetContext(msgspec.Struct, frozen=True, kw_only=True):
    """Have forgotten where a conversation was; its next input begins anew."""

    session: str


class ContextForgotten(msgspec.Struct, frozen=True, kw_only=True):
    session: str
    known: bool
    """Whether anything was known of it."""
