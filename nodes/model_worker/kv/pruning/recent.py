"""Which tokens of a conversation keep their keys and values when there is no room for all. Pure.

The first few stay, for attention rests on them, and so do the last; what lies between goes (Xiao et al. 2023,
StreamingLLM). What was said in the middle is then forgotten, and nothing computed of the rest is thrown away.
"""

from collections.abc import Sequence

SINKS = 4
"""First tokens that always stay."""


def kept(tokens: int, room: int) -> list[int]:
    """Places, in order, of the at most `room` of so many tokens that stay."""
    if tokens <= room:
        return list(range(tokens))
    first = min(SINKS, room)
    return [*range(first), *range(tokens - (room - first), tokens)]


def left(room: int, new: int) -> int:
    """How many tokens to keep so that `new` more find room. Raises ValueError if there is none for the first few.

    Some more go at once, so that not every new token moves all others.
    """
    if room - new < SINKS:
        raise ValueError(f"{room} tokens of room are too few for {SINKS} and {new} more")
    return max(SINKS, room - new - room // 8)


def gone(kept: Sequence[int], tokens: int) -> list[tuple[int, int]]:
    """The spans [start, end) of the tokens that do not stay."""
    spans, at = [], 0
    for place in [*kept, tokens]:
        if place > at:
            spans.append((at, place))
        at = place + 1
    return spans
