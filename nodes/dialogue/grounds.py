"""What an answer rests on beside the model that gives it, and an answer that was given on it before."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from protocol.messages.model import ChatMessage


@dataclass(frozen=True)
class Question:
    """What is asked, with all that its answer depends on beside the model."""

    messages: tuple[ChatMessage, ...]
    """As a model is given them: instruction, what was said before, the question."""
    limit: int
    """Most new tokens; 0: as the level has it."""
    session: str
    only: str = ""
    """A level from which alone an answer given before would do; empty: from any."""
    fresh: bool = False
    """A model has to answer, whatever was answered before, and its answer is not taken for given."""

    @property
    def text(self) -> str:
        return self.messages[-1].content

    @property
    def alone(self) -> bool:
        """Whether nothing was said before, so that the answer is the same whoever asks."""
        return not any(message.role == "assistant" for message in self.messages)


@dataclass(frozen=True)
class Recalled:
    """An answer that holds, or why there is none."""

    text: str = ""
    level: str = ""
    """Which gave it."""
    confidence: float = 0.0
    verified_ns: int = 0
    """Wall time."""
    rests_on: tuple[str, ...] = ()
    """Keys of assumptions."""
    why: str = ""
    """Why there is none."""
    cpu_s: float = 0.0
    """Processor seconds it took to find out."""

    @property
    def holds(self) -> bool:
        return not self.why

    @property
    def grounds(self) -> str:
        """From when it is, and what it rests on, in words."""
        since = datetime.fromtimestamp(self.verified_ns / 1e9, UTC).isoformat(timespec="seconds")
        rests_on = ", ".join(self.rests_on) or "nothing else"
        return f"{self.level} said so to the same question on the same grounds, {since}; it rests on {rests_on}"
