"""What the plugin needs of a system that answers. `running` is the real one; tests and benchmarks bring their own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol, runtime_checkable

from nodes.dialogue.irp.state import Reply
from protocol.messages.model import ChatMessage


class Port(Protocol):
    @property
    def levels(self) -> Sequence[str]:
        """Least capable first."""

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
        """The answer to `text` in a conversation of that name, which goes on if it was begun. No level: as it chooses.

        Raises a `SageError`: `Cancelled` soon after `cancelled` says so, `DeadlineExceeded` after `within_s`.
        """

    def forget(self, conversations: Sequence[str]) -> None:
        """What was said in these is needed no more."""


@runtime_checkable
class IRPPlugin(Protocol):
    """What hosts call."""

    def init_state(self, x0: Any, task_ctx: Any) -> Any: ...
    def step(self, state: Any) -> Any: ...
    def energy(self, state: Any) -> float: ...
    def project(self, state: Any) -> Any: ...
    def halt(self, history: Any) -> bool: ...
    def refine(self, x0: Any, task_ctx: Any) -> Any: ...
    def compute_trust_metrics(self, history: Any) -> Any: ...
