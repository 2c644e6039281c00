"""Whether a request fits into the memory there is, before it is begun. Arithmetic only; no torch.

A request may make the desk grow (its old blocks stay until they are copied), it leaves its new tokens behind in chunks,
and it needs the workspace of one forward pass, of which the attention scores grow with the conversation.
"""

from dataclasses import dataclass

from nodes.model_worker.fits import MiB

HEADROOM = 64 * MiB
"""Left free whatever happens: for allocators that round up, and for the rest of the process."""


@dataclass(frozen=True)
class Needs:
    """Bytes that a model takes."""

    per_token: int
    """Keys and values of one token over all layers."""
    workspace: int
    """One forward pass over a chunk, without its attention scores."""
    scores: int
    """Attention scores of a chunk for each token of the conversation."""

    def request(self, tokens: int, *, held: int, capacity: int) -> int:
        """Bytes beyond those taken now, for a conversation of `tokens`.

        `held`: tokens of it that lie on the desk. `capacity`: tokens for which the desk has room.
        """
        desk = tokens if tokens > capacity else 0
        return self.per_token * (desk + max(0, tokens - held)) + self.workspace + self.scores * tokens

    def longest(self, free: int, *, held: int, capacity: int, limit: int) -> int:
        """The most tokens, up to `limit`, that `free` bytes are enough for; 0 if not even one fits."""
        low, high = 0, limit
        while low < high:
            middle = (low + high + 1) // 2
            if self.request(middle, held=min(held, middle), capacity=capacity) <= free:
                low = middle
            else:
                high = middle - 1
        return low
