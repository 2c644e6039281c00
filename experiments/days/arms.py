"""The two loops, left out in turn: whom to ask is learned or is a rule; the small level dreams or stays as it was."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from experiments.trust.ours import generated
from experiments.trust.rivals import LEVELS
from experiments.trust.world import Met
from nodes.dialogue import cascade
from nodes.dialogue.cascade import Attempt
from nodes.dialogue.choice import Candidate
from nodes.dialogue.config import DialogueConfig
from nodes.dialogue.replaying import Sample
from protocol.messages.trust import Outcome


@dataclass(frozen=True)
class Arm:
    name: str
    what: str
    learns: bool
    """Whom to ask: the fast loop."""
    dreams: bool
    """The slow loop."""


ARMS = (
    Arm("neither", "the fixed rule, and weights as they were released", learns=False, dreams=False),
    Arm("fast", "trust and choice learn; weights as they were released", learns=True, dreams=False),
    Arm("slow", "the fixed rule; the small level dreams", learns=False, dreams=True),
    Arm("both", "trust and choice learn, and the small level dreams", learns=True, dreams=True),
)


@dataclass
class Fixed:
    """The least capable level begins; an answer stands at its level's own `accept_at`, else the next one goes on."""

    dialogue: DialogueConfig
    levels: list[Candidate] = field(init=False)

    def __post_init__(self) -> None:
        self.levels = [Candidate(one.name, one.cost, one.accept_at) for one in self.dialogue.levels]

    def path(self, met: Met, number: int) -> list[int]:
        path = [0]
        while not self._stands(met, path[-1]):
            path.append(path[-1] + 1)
        return path

    def told(self, met: Met, path: Sequence[int], scored: Sequence[tuple[float, str] | None], number: int) -> None: ...

    def night(self, samples: Sequence[Sample]) -> None: ...

    def take_up(self, level: str, version: str, vouched: Outcome | None, number: int) -> None: ...

    def _stands(self, met: Met, level: int) -> bool:
        attempt = Attempt(self.levels[level], generated(met.asked.said[level], level), 0.0)
        following = self.levels[level + 1] if level + 1 < len(LEVELS) else None
        return cascade.judge(attempt, following, asked_for=False, time_left=True).accept
