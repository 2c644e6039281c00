"""The attention states of all conversations, within a budget of bytes; the least recently used gives way, counted."""

from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from nodes.model_worker.kv.answers import Answers
from nodes.model_worker.kv.state import AttentionState


@dataclass
class Session:
    """What is kept of one conversation."""

    state: AttentionState
    answers: Answers = field(default_factory=Answers)


@dataclass
class Counts:
    hits: int = 0
    """Requests that found a state of their session."""
    misses: int = 0
    evicted: int = 0
    """States dropped because others needed the room."""
    oversized: int = 0
    """States dropped because they alone exceed the budget."""
    broken: int = 0
    """States dropped because a request failed inside the model and may have left them half written."""
    answers_forgotten: int = 0
    """Earlier answers whose ids gave way to later ones of the same session."""


class Sessions:
    """Conversations by name. One request at a time works on a session, and meanwhile nobody else sees it."""

    def __init__(self, layers: int, budget: int, bytes_per_token: int) -> None:
        self._layers = layers
        self._budget = budget
        self._bytes_per_token = bytes_per_token
        self._kept: OrderedDict[str, Session] = OrderedDict()
        self.counts = Counts()

    def __len__(self) -> int:
        return len(self._kept)

    @property
    def nbytes(self) -> int:
        return sum(session.state.nbytes for session in self._kept.values())

    @contextmanager
    def use(self, name: str) -> Iterator[Session]:
        """The session of that name, or a new one, to work on; afterwards it is the most recently used.

        The empty name is always new and never kept. A state that a failure left half written is not kept either.
        """
        session = self._take(name)
        try:
            yield session
        finally:
            self._put(name, session)

    def make_room(self, tokens: int) -> None:
        """Evict until the session in use may grow to `tokens` within the budget, or none is left to evict."""
        self._evict_to(self._budget - tokens * self._bytes_per_token)

    def clear(self) -> None:
        self._kept.clear()

    def stats(self) -> dict[str, float]:
        return {"sessions": len(self), "bytes": self.nbytes, "budget": self._budget, **vars(self.counts)}

    def _take(self, name: str) -> Session:
        kept = self._kept.pop(name, None)
        if name:
            self.counts.hits += kept is not None
            self.counts.misses += kept is None
        return kept or Session(AttentionState(self._layers))

    def _put(self, name: str, session: Session) -> None:
        self.counts.answers_forgotten += session.answers.forgotten
        session.answers.forgotten = 0
        if not session.state.whole:
            self.counts.broken += 1
        elif session.state.nbytes > self._budget:
            self.counts.oversized += 1
        elif name and session.state.ids:
            self._kept[name] = session
            self._evict_to(self._budget)

    def _evict_to(self, limit: int) -> None:
        while self._kept and self.nbytes > limit:
            self._kept.popitem(last=False)
            self.counts.evicted += 1
