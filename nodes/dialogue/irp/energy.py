"""How surprising the present answer is, given every answer so far. Pure, and never a function of the iteration.

    doubt   = (1 - p1) * prod (1 - share * pi)    p1: the surest level that gave this answer, pi: the others that did
    belief  = (1 - doubt) * (1 - weight * q)      q: the surest that anybody was of another answer
    energy  = 1 - belief

Each level counts once for an answer, as sure as it was when it was least so: asked again, it reads what it said, and is
surer of that for no other reason. Levels of one family err alike, so a further voice removes
only a `share` of the doubt that it would if their errors were independent. The task's own verifier, where it knows the
answer, replaces most of it. `sage bench irp` shows how well this tells right from wrong.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from nodes.dialogue.irp.state import Reply
from nodes.dialogue.patterns.words import normalised


@dataclass(frozen=True)
class Weights:
    share: float = 0.5
    """Of the doubt a further voice for the same answer could remove, what it does; 1: errors are independent."""
    dissent: float = 0.5
    """Of the belief that a sure voice for another answer could take, what it does."""
    verifier: float = 0.95
    """What a verifier's word is worth against everything else."""


WEIGHTS = Weights()


def energy(answer: str, replies: Sequence[Reply], weights: Weights = WEIGHTS) -> float:
    """0..1; 1 where nobody gave this answer, or it is empty."""
    key = normalised(answer)
    voices: dict[str, float] = {}
    against, verified = 0.0, None
    for reply in replies:
        if reply.key == key:
            voices[reply.level] = min(reply.confidence, voices.get(reply.level, 1.0))
            verified = reply.verified if reply.verified is not None else verified
        else:
            against = max(against, reply.confidence)
    if not voices or not key:
        return 1.0
    surest, *others = sorted(voices.values(), reverse=True)
    doubt = 1.0 - surest
    for other in others:
        doubt *= 1.0 - weights.share * other
    told = 1.0 - (1.0 - doubt) * (1.0 - weights.dissent * against)
    if verified is None:
        return told
    return (1.0 - weights.verifier) * told + weights.verifier * (1.0 - verified)


def best(replies: Sequence[Reply], weights: Weights = WEIGHTS) -> tuple[str, float]:
    """The answer of least energy, of equals the one given last, and that energy; ("", 1.0) of none."""
    found = ("", 1.0)
    seen: set[str] = set()
    for reply in reversed(replies):
        if reply.key in seen:
            continue
        seen.add(reply.key)
        value = energy(reply.text, replies, weights)
        if value < found[1]:
            found = (reply.text, value)
    return found
