"""What a refinement has come to, and what was asked of it. Nothing here reaches the world."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from nodes.dialogue.patterns.words import normalised
from protocol.errors import BadRequest
from protocol.messages.model import ChatMessage

PLACE = "irp: task_ctx"
DOUBT = "{doubt} {question}"
_NUMBER, _WHOLE, _TEXT = "a number", "a whole number", "a text"
_KINDS: Mapping[str, tuple[str, tuple[type, ...]]] = {
    "deadline_s": (_NUMBER, (int, float)),
    "target": (_NUMBER, (int, float)),
    "least": (_WHOLE, (int,)),
    "most": (_WHOLE, (int,)),
    "longest": (_WHOLE, (int,)),
    "level": (_TEXT, (str,)),
    "doubt": (_TEXT, (str,)),
}


@dataclass(frozen=True)
class Reply:
    """One answer that a level gave."""

    text: str
    confidence: float
    """Chance that it is right, 0..1, as far as the system that answers can tell."""
    level: str
    retry: bool = False
    """The level was asked again, its doubt pointed out."""
    verified: float | None = None
    """0..1 by the task's own verifier, where it has one that knows the answer."""

    @property
    def key(self) -> str:
        """What two answers have in common that say the same."""
        return normalised(self.text)


@dataclass(frozen=True)
class Task:
    """What is asked, and within which bounds. Made of `x0` and `task_ctx` by `task_of`."""

    question: str
    before: tuple[ChatMessage, ...] = ()
    """What was said before the question."""
    deadline_s: float = 60.0
    """Seconds for the whole refinement."""
    target: float = 0.1
    """Energy at which it has come to rest."""
    least: int = 1
    """Answers there have to be before it may rest: with 2, a small level that is sure and wrong is found out."""
    most: int = 5
    """Iterations."""
    level: str = ""
    """Level to begin with; empty: the system chooses."""
    doubt: str = DOUBT
    """What a level is asked when it is asked again; names {doubt}, {question} and {answer}."""
    longest: int = 4000
    """Characters of an answer; what is longer is cut between words, and that is noted."""
    allowed: tuple[str, ...] = ()
    """The only answers there may be; empty: any."""
    verify: Callable[[str], float | None] | None = None
    """The task's own verifier: how right an answer is, 0..1; None where it cannot know."""
    cancelled: Callable[[], bool] = lambda: False


@dataclass
class IRPState:
    """As hosts of IRP plugins know it."""

    x: str
    """The answer of this iteration; empty before the first."""
    step_idx: int = 0
    energy_val: float = 1.0
    """0..1, lower is better."""
    meta: dict[str, Any] = field(default_factory=dict)
    """`task`, `replies` (all so far), `failed` (level → why), `asked` (what the last step asked whom), `ended`,
    `source` (the reply that `x` was made of), `projected` (what `x` was before, where it had to be changed),
    `unforgotten` (why the system may still keep what was said)."""
    timestamp: float = 0.0
    """Seconds since 1970."""

    @property
    def task(self) -> Task:
        task: Task = self.meta["task"]
        return task

    @property
    def replies(self) -> tuple[Reply, ...]:
        replies: tuple[Reply, ...] = self.meta["replies"]
        return replies


def task_of(x0: Any, task_ctx: Mapping[str, Any] | None) -> Task:
    """What is asked, checked. Raises BadRequest.

    `x0`: a question, or a conversation that ends in one, as messages with `role` and `content`. `task_ctx`: fields of
    `Task` by name.
    """
    given = dict(task_ctx or {})
    known = set(Task.__dataclass_fields__) - {"question", "before"}
    if unknown := sorted(set(given) - known):
        raise BadRequest(f"{unknown[0]!r} means nothing here; known: {', '.join(sorted(known))}", place=PLACE)
    *before, question = _messages(x0)
    if question.role != "user" or not question.content.strip():
        raise BadRequest("the last message has to be a question by `user`", place="irp: x0")
    _check_kinds(given)
    task = Task(question=question.content, before=tuple(before), **given)
    for name, fine in (
        ("deadline_s", task.deadline_s > 0),
        ("target", 0 <= task.target <= 1),
        ("least", task.least >= 1),
        ("most", task.most >= 1),
        ("longest", task.longest >= 1),
    ):
        if not fine:
            raise BadRequest(f"{name} cannot be {given[name]!r}", place=PLACE)
    return task


def _check_kinds(given: dict[str, Any]) -> None:
    """Raises BadRequest where a value is not of its field's kind; `allowed` is a tuple from then on."""
    for name, (kind, types) in _KINDS.items():
        value = given.get(name, types[0]())
        if not isinstance(value, types) or isinstance(value, bool):
            raise BadRequest(f"{name} is {kind}, not {value!r}", place=PLACE)
    allowed = given.get("allowed", ())
    listed = isinstance(allowed, Collection) and not isinstance(allowed, str)
    if not listed or not all(isinstance(one, str) for one in allowed):
        raise BadRequest(f"allowed is a list of texts, not {allowed!r}", place=PLACE)
    given["allowed"] = tuple(allowed)
    for name in ("verify", "cancelled"):
        if name in given and not callable(given[name]) and not (name == "verify" and given[name] is None):
            raise BadRequest(f"{name} has to be callable, not {given[name]!r}", place=PLACE)
    try:
        given.get("doubt", DOUBT).format(doubt="", question="", answer="")
    except (LookupError, ValueError) as error:
        raise BadRequest(
            f"doubt cannot be {given['doubt']!r}", place=PLACE, remedy="it may name {doubt}, {question} and {answer}"
        ) from error


def _messages(x0: Any) -> Sequence[ChatMessage]:
    if isinstance(x0, str):
        return [ChatMessage(role="user", content=x0)]
    try:
        found = [one if isinstance(one, ChatMessage) else ChatMessage(**one) for one in x0]
    except TypeError as error:
        raise BadRequest(f"expected a question, or messages with role and content: {error}", place="irp: x0") from error
    if not found:
        raise BadRequest("there is no question", place="irp: x0")
    return found
