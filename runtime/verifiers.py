"""Judges of answers. The runtime knows none itself; packages register theirs under `sage.verifiers`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from protocol.messages.model import ChatMessage
from runtime import plugins

GROUP = "sage.verifiers"


@dataclass(frozen=True)
class Verdict:
    """What a verifier found."""

    score: float
    """0..1; 1 is right."""
    skill: str
    """Which kind of question it recognised."""
    expected: str = ""
    """A right answer, where it can tell one."""


class Verifier(Protocol):
    """Knows some questions well enough to say whether an answer is right."""

    name: str

    def verify(self, messages: Sequence[ChatMessage], answer: str) -> Verdict | None:
        """Judge `answer` to the last of `messages`; None where the question is not one of its kind."""


def load_verifiers() -> list[Verifier]:
    """All registered verifiers, by name; an entry point names a callable that makes one."""
    return [make() for _, make in sorted(plugins.load_all(GROUP).items())]


def judge(verifiers: Iterable[Verifier], messages: Sequence[ChatMessage], answer: str) -> tuple[str, Verdict] | None:
    """The first verdict, with the name of the verifier that gave it; None where none knows the question."""
    for verifier in verifiers:
        verdict = verifier.verify(messages, answer)
        if verdict is not None:
            return verifier.name, verdict
    return None
