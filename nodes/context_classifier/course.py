"""Where a conversation has been: the newest utterance beside the ones before it.

Pure: vectors of unit length and what was heard, oldest first, the newest last.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from nodes.context_classifier.claims import Heard, parallel
from nodes.context_classifier.vectors import similarity

if TYPE_CHECKING:
    from nodes.context_classifier.vectors import Vector

KIND = 0.5
"""Two utterances at least so close are of one kind."""
UNLIKE = 0.35
"""Two below this are different enough to swing between."""
RETURN = 0.15
"""So much closer two must be to each other than to what came between them, to count as one subject."""
BUILT = 0.6
"""How close two utterances are that are built alike, word for word, in words that are not known to be alike."""

Sort = Callable[[int, int], float]


@dataclass(frozen=True)
class Step:
    vector: Vector
    heard: Heard


def closeness(one: Step, other: Step, sort: Sort) -> float:
    """How near two utterances of one conversation are, 0..1: alike in what they mean or in how they are built."""
    return max(similarity(one.vector, other.vector), BUILT * parallel(one.heard, other.heard, sort))


def swinging(steps: Sequence[Step], sort: Sort) -> float:
    """How much the newest utterances go to and fro, 0..1.

    Counts, from the newest backwards, the unbroken run of those that return to the last but one over something else:
    A B A is one return. One return alone may be chance, so r returns give r / (r + 1), and none below two count.
    """
    returns = 0
    for newest in range(len(steps) - 1, 1, -1):
        one, between, other = steps[newest], steps[newest - 1], steps[newest - 2]
        if not (_same_words(one, between, other) or _same_subject(one, between, other, sort)):
            break
        returns += 1
    return returns / (returns + 1) if returns >= 2 else 0.0


def repeats(steps: Sequence[Step]) -> int:
    """How often the newest utterance was said before in these very words."""
    *before, newest = steps
    return sum(step.heard.whole == newest.heard.whole for step in before)


def run(steps: Sequence[Step], sort: Sort) -> int:
    """How many utterances just before the newest one are of its kind, without a break; each close to one of them."""
    *before, newest = steps
    kin = [newest]
    for step in reversed(before):
        if max(closeness(step, other, sort) for other in kin) < KIND:
            break
        kin.append(step)
    return len(kin) - 1


def drift(steps: Sequence[Step]) -> float:
    """Rate of change, 0..1: how unlike each utterance is to the one before, on average. 0 where there is but one."""
    changes = [1 - similarity(one.vector, other.vector) for one, other in pairwise(steps)]
    return sum(changes) / len(changes) if changes else 0.0


def _same_words(one: Step, between: Step, other: Step) -> bool:
    return one.heard.whole == other.heard.whole != between.heard.whole


def _same_subject(one: Step, between: Step, other: Step, sort: Sort) -> bool:
    """Back at one subject, over something much less like either than they are alike."""
    apart = max(closeness(one, between, sort), closeness(between, other, sort))
    return apart < UNLIKE and closeness(one, other, sort) - apart > RETURN
