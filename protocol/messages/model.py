"""Calls to a model worker. The caller always sends the full context; the worker computes only what is new."""

from __future__ import annotations

from typing import Any

import msgspec


class ChatMessage(msgspec.Struct, frozen=True, kw_only=True):
    role: str
    """`system`, `user`, `assistant`, or `tool` for what a tool gave back, where the model's template knows tools."""
    content: str


class Generate(msgspec.Struct, frozen=True, kw_only=True):
    messages: list[ChatMessage] = []
    ids: list[int] = []
    """Token ids instead of messages, for callers that tokenise themselves."""
    tools: list[dict[str, Any]] = []
    """JSON schemas of functions that the model is told of, by templates that know tools."""
    session: str = ""
    """Conversation whose attention state is kept; empty keeps none."""
    max_new_tokens: int = 0
    """0: as the level's configuration says."""
    temperature: float = 0.0
    """0 is greedy."""
    top_p: float = 1.0
    top_k: int = 0
    seed: int | None = None
    stop: list[str] = []
    """Texts before which the answer ends."""
    exactness: str = ""
    """The least that kept attention state must be worth to be reused: `continuous`, as if the conversation had never
    been interrupted; `cold`, bit for bit as if all of it were computed now; or `lossy`, as it was kept with fewer bits.
    Empty: `lossy` where the level's configuration has it kept so, else `continuous`."""
    overflow: str = "refuse"
    """What to do with a conversation that is too long for the model or for the memory there is: `refuse`, with the
    limit; `shorten`: leave out its oldest exchanges and say how many messages that were; or `prune`, for the memory
    only: drop keys and values of tokens between the first few and the last, and say how many."""
    judge_input: bool = False
    """Also say how unlikely the last message was to the model: costs the output layer for each of them."""


class Token(msgspec.Struct, frozen=True, kw_only=True):
    """A piece of the answer: the text that became certain with this token (it may be empty inside a character)."""

    text: str
    id: int
    index: int
    logprob: float


class Generated(msgspec.Struct, frozen=True, kw_only=True):
    text: str
    ids: list[int]
    stop_reason: str
    """`stop`, `length`, `cancelled` or `deadline`."""
    tokens_reused: int
    tokens_computed: int
    tokens_generated: int
    confidence: float
    """0..1, see `nodes.model_worker.confidence`; 0 where a server gives no probabilities."""
    level: str
    model: str
    version: str
    """Fingerprint of the weights and what else decides the answer."""
    adapter: str = ""
    """Digest of the learned weights that answered; empty: the base model's own."""
    seconds: dict[str, float]
    """Stage → seconds: queue, load, tokenize, prefill, decode."""
    cpu_s: float = 0.0
    """Processor seconds spent on this answer; loading the model is not part of it."""
    joules: float = 0.0
    """What the machine's sensor counted while it was being made, whoever else drew from it; 0 where there is none."""
    joules_source: str = ""
    """`ina`, `nvml` or `rapl`; empty where nothing counted."""
    diverged_at: int | None = None
    """Index of the first token id that differed from the kept state, where there was one."""
    diverged_message: int | None = None
    tokens_restored: int = 0
    """Of those reused, the ones that were read from the disk, or mapped from another worker, for this answer."""
    exactness: str = "continuous"
    """What the state that the answer rests on is worth; "" where a server keeps it, if at all."""
    missed: str = ""
    """Why kept state could not be used, where there was some."""
    messages_left_out: int = 0
    """The oldest ones of a conversation that was too long, where the request allowed it."""
    tokens_pruned: int = 0
    """Of those computed and reused, the ones whose keys and values were dropped before the answer ended. What is left,
    `pruned` by its exactness, is not kept; the conversation stays as it was kept before."""
    spans_pruned: list[tuple[int, int]] = []
    """Where those stood: [start, end) in the conversation's tokens."""
    input_nll: float | None = None
    """Mean negative log-likelihood, in nats, of the last message's tokens that were computed for this answer; None
    where that was not asked for, or none of them was computed after another."""
    input_judged: int = 0
    """How many tokens that is the mean of."""
    reply_nll: float | None = None
    """The same of the tokens of the answer, under the distribution of temperature 1; None where there are none."""
    input_excess: float | None = None
    """Nats: how much more those tokens cost in the mean than the model itself expected, which is the entropy of its
    distributions. About 0 for what it takes for ordinary, however little it could know of it beforehand."""
    reply_peak: float | None = None
    """Nats of the least likely token of the answer."""
    least_margin: float | None = None
    """Least difference of the two largest logits at any token of the answer; None where it is not known."""


class Exercise(msgspec.Struct, frozen=True, kw_only=True):
    """A question to a teaching model, with or without an answer."""

    messages: list[ChatMessage] = []
    ids: list[int] = []
    """Token ids instead of messages."""
    answer: str = ""
    """What to look at as if the model had said it; empty: the model is to answer."""
    answer_ids: list[int] = []
    """Token ids instead of `answer`, with the id that ends it."""


class Teach(msgspec.Struct, frozen=True, kw_only=True):
    """Ask for answers, the likeliest token after every token, and for what the model would say at each of an answer's.

    Whoever else asks the worker meanwhile goes first.
    """

    exercises: list[Exercise]
    top_k: int = 0
    """How many of the likeliest ids to give for each token of an answer."""
    max_new_tokens: int = 0
    """0: as the level's configuration says."""
    version: str = ""
    """The version that is to answer; another refuses. Empty: whichever there is."""


class Solution(msgspec.Struct, frozen=True, kw_only=True):
    """What came of one exercise. Streams back as soon as it is there, in no order."""

    index: int
    """Of the exercise in the request."""
    refused: str = ""
    """Why it was not done; empty where it was."""
    prompt_ids: list[int] = []
    answer_ids: list[int] = []
    """With the id that ends the answer, where it came to its end."""
    text: str = ""
    finished: bool = False
    """The answer came to an end of its own."""
    top_k: int = 0
    """Given for each token: fewer than asked for where the vocabulary is smaller."""
    top_ids: bytes = b""
    """int32, little endian, [tokens of the answer, top_k], likeliest first."""
    top_logprobs: bytes = b""
    """float32, little endian, the same shape: natural logarithms. What they leave of 1 is spread over all other ids."""


class Taught(msgspec.Struct, frozen=True, kw_only=True):
    """All solutions have been sent."""

    solutions: int
    version: str
    """Fingerprint of the weights and what else decides the solutions."""
    adapter: str = ""
    """Digest of the learned weights that answered; empty: the base model's own."""
    seconds: float = 0.0
    """At work, without the time that others went first."""
    cpu_s: float = 0.0
    joules: float = 0.0
    joules_source: str = ""


class Embed(msgspec.Struct, frozen=True, kw_only=True):
    """Ask for texts as vectors that can be compared: the means of a model's first and last states over a text's tokens.

    Nothing that is kept of conversations is read or changed. Whoever else asks the worker meanwhile goes first.
    """

    texts: list[str]
    version: str = ""
    """The version that is to read them; another refuses. Empty: whichever there is."""
    load: bool = True
    """False: refuse rather than load a model that is not in memory."""


class Embedded(msgspec.Struct, frozen=True, kw_only=True):
    vectors: bytes
    """float32, little endian, [texts, dimensions], each of unit length; all zeros for a text without a token."""
    dimensions: int
    tokens: list[int]
    """Of each text; empty where a server has the model."""
    version: str
    """Fingerprint of the weights and what else decides the vectors; of a server, only what it calls its model."""
    base: str = ""
    """Digest of the level's own weights, from which learned ones were learned; "" where a server has them."""
    adapter: str = ""
    """Digest of the learned weights that read the texts; empty: the level's own."""
    seconds: float = 0.0
    """At work, without the time that others went first."""
    cpu_s: float = 0.0
    joules: float = 0.0
    joules_source: str = ""


class Load(msgspec.Struct, frozen=True, kw_only=True):
    """Have the model loaded."""


class Unload(msgspec.Struct, frozen=True, kw_only=True):
    """Free the model's memory; the next request loads it again."""


class InfoRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Ask what the worker holds."""


class ModelInfo(msgspec.Struct, frozen=True, kw_only=True):
    level: str
    model: str
    version: str
    loaded: bool
    device: str = ""
    dtype: str = ""
    parameters: int = 0
    weight_bytes: int = 0
    state_bytes: int = 0
    sessions: int = 0
    load_s: float = 0.0
    context_limit: int = 0
    """Tokens."""


class SaveState(msgspec.Struct, frozen=True, kw_only=True):
    """Have all attention state written down that is not on the disk yet, and wait for it."""


class StateSaved(msgspec.Struct, frozen=True, kw_only=True):
    sessions: int
    """Conversations held in memory."""
    problem: str
    """Why not all of it is written down, "" if it is."""


class ResumeState(msgspec.Struct, frozen=True, kw_only=True):
    """Have the state of a conversation read from the disk now, so that its next turn need not wait for that."""

    session: str


class StateResumed(msgspec.Struct, frozen=True, kw_only=True):
    session: str
    tokens: int
    """Held now."""
    restored: int
    """Of these, read from the disk for this."""
    exactness: str
    missed: str
    """Why something kept could not be used, where there was some."""


class MarkState(msgspec.Struct, frozen=True, kw_only=True):
    """Have a conversation's attention state kept as it is now, whatever becomes of the conversation: a checkpoint."""

    session: str
    label: str
    """Tells it from the others of the conversation; of one label the last one stays."""
    why: str = ""


class StateMarked(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    """Under which it is kept, as a conversation of its own."""
    tokens: int


class ForgetState(msgspec.Struct, frozen=True, kw_only=True):
    """Have the attention state of a conversation dropped, from memory and from the disk; its next turn computes all.

    What other conversations begin with stays.
    """

    session: str


class StateForgotten(msgspec.Struct, frozen=True, kw_only=True):
    session: str
    tokens: int
    """That were held in memory and are no longer."""
    bytes: int
    """Given back on the disk."""
