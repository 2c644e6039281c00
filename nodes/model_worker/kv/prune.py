"""Which tokens of a conversation keep their keys and values when there is no room for all. Pure.

The first few stay, for attention rests on them, and so do the last; what lies between goes (Xiao et al. 2023,
StreamingLLM). What was said in the middle is then forgotten, and nothing computed of the rest is thrown away.
"""

SINKS = 4
"""First tokens that always stay."""


def kept(tokens: int, room: int) -> list[int]:
    """Places, in order, of the at most `room` of so many tokens that stay."""
    if tokens <= room:
        return list(range(tokens))
    first = min(SINKS, room)
    return [*range(first), *range(tokens - (room - first), tokens)]


def slack(room: int) -> int:
    """Tokens to drop at once beyond those that must go, so that not every new token moves all others."""
    return room // 8
