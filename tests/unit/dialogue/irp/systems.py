"""A stand-in for a system that answers: each level says what a test wrote for it, one answer after the other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from nodes.dialogue.irp.state import Reply
from protocol.errors import Cancelled, DeadlineExceeded, SageError
from protocol.messages.model import ChatMessage

LEVELS = ("sensory", "tactical", "specialized")


@dataclass
class System:
    says: dict[str, list[tuple[str, float] | SageError]]
    """Level → its answers with their confidence, or why there is none; the last goes on for ever."""
    chooses: str = "sensory"
    levels: Sequence[str] = LEVELS
    takes_s: float = 1.0
    now: float = 0.0
    asked: list[tuple[str, str, str]] = field(default_factory=list)
    """Level as wished, text, conversation."""
    forgotten: list[str] = field(default_factory=list)
    on_ask: Callable[[], None] = lambda: None

    def clock(self) -> float:
        return self.now

    def ask(
        self,
        text: str,
        *,
        conversation: str,
        before: Sequence[ChatMessage],
        level: str,
        within_s: float,
        cancelled: Callable[[], bool],
    ) -> Reply:
        self.asked.append((level, text, conversation))
        self.on_ask()
        if cancelled():
            raise Cancelled("cancelled")
        if within_s < self.takes_s:
            self.now += within_s
            raise DeadlineExceeded("too slow")
        self.now += self.takes_s
        answers = self.says[level or self.chooses]
        given = answers.pop(0) if len(answers) > 1 else answers[0]
        if isinstance(given, SageError):
            raise given
        return Reply(given[0], given[1], level or self.chooses)

    def forget(self, conversations: Sequence[str]) -> None:
        self.forgotten += conversations
