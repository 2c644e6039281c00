"""Which token ids were processed, and where a request departs from them. Ids only: text never decides."""

from collections.abc import Sequence
from dataclasses import dataclass

_STRIDE = 1024


@dataclass(frozen=True)
class Divergence:
    """The first place where a request says something else than what was processed."""

    index: int
    """Of the token in both."""
    held: int
    given: int


@dataclass(frozen=True)
class Match:
    """How a request of `reused + computed` tokens uses what is held."""

    reused: int
    """Leading tokens whose keys and values stay."""
    computed: int
    """Tokens to forward; at least one, for the logits of the last position are kept nowhere."""
    divergence: Divergence | None = None


def match(held: Sequence[int], given: Sequence[int]) -> Match:
    """Compare the ids a state was computed from with those of a request (at least one).

    A request that only goes on, or only stops earlier, does not diverge.
    """
    if not given:
        raise ValueError("a request needs at least one token")
    common = common_prefix(held, given)
    departs = common < min(len(held), len(given))
    divergence = Divergence(common, held[common], given[common]) if departs else None
    reused = min(common, len(given) - 1)
    return Match(reused, len(given) - reused, divergence)


def common_prefix(left: Sequence[int], right: Sequence[int]) -> int:
    """Length of the longest common prefix. Whole strides are compared at once: conversations mostly agree."""
    end = min(len(left), len(right))
    start = 0
    while start < end and left[start : start + _STRIDE] == right[start : start + _STRIDE]:
        start += _STRIDE
    for index in range(start, end):
        if left[index] != right[index]:
            return index
    return end
