"""Whether there is memory for a conversation, asked before anything of it is read or computed."""

from dataclasses import dataclass

from nodes.model_worker import loading
from nodes.model_worker.errors import ContextTooLong
from nodes.model_worker.kv.sessions import Sessions
from nodes.model_worker.levels import Level
from nodes.model_worker.loading import LoadedModel
from nodes.model_worker.memory import HEADROOM


@dataclass(frozen=True)
class Admission:
    level: Level
    model: LoadedModel
    sessions: Sessions
    tokens: int
    """Of the conversation, the answer included."""
    held: int
    """Tokens of these that are in memory."""

    def fits(self) -> bool:
        """Whether there is memory for it as it is, nothing dropped for it."""
        return self._missing() <= 0

    def make_fit(self) -> bool:
        """Drop what others may need again, as far as that is needed and helps. Whether it fits then."""
        missing = self._missing()
        if missing > 0 and loading.shares_host_memory(self.model.device) and self.sessions.give_back(missing):
            loading.free_memory()  # it counts once the system has it, not before
        return self.fits()

    def longest(self) -> int:
        """The most tokens, up to those asked for, that would fit."""
        capacity = self.sessions.state.capacity
        return self.model.needs.longest(self._free(), held=self.held, capacity=capacity, limit=self.tokens)

    def refusal(self, answer: int = 0) -> ContextTooLong:
        """What to raise where it does not fit. `answer`: tokens of it that are not yet said."""
        limit = max(0, self.longest() - answer)
        return ContextTooLong(
            f"{self.tokens} tokens with the answer need {self._needed() >> 20} MiB of memory,"
            f" {max(0, self._free()) >> 20} MiB are free: the limit is {limit} tokens now",
            place=f"level {self.level.name}",
            remedy="send a shorter conversation, ask a smaller model, or end what else takes memory",
            detail={"limit": limit, "tokens": self.tokens - answer},
        )

    def _missing(self) -> int:
        return self._needed() - self._free()

    def _needed(self) -> int:
        return self.model.needs.request(self.tokens, held=self.held, capacity=self.sessions.state.capacity)

    def _free(self) -> int:
        return loading.free_bytes(self.model.device) - HEADROOM
