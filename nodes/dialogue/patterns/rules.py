"""When a question that is always answered alike is proposed as a pattern, as the file of patterns says it."""

from __future__ import annotations

from typing import Annotated

import msgspec

MOST_MARKS = 16
"""Of conversations, grounds and days, no more are remembered of a question."""

Count = Annotated[int, msgspec.Meta(ge=1)]
Marks = Annotated[int, msgspec.Meta(ge=1, le=MOST_MARKS)]
Share = Annotated[float, msgspec.Meta(ge=0, le=1)]


class Shown(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What has to have been shown of a question."""

    times: Count = 5
    """Answers, all the same to the letter and none corrected."""
    sessions: Marks = 3
    """Conversations in which it was asked; one that goes on on another day counts anew."""
    grounds: Marks = 2
    """Different things said before it, nothing at all being one; asked again in its sight it shows none."""
    days: Marks = 2
    """Days of the calendar: what depends on the day is answered otherwise on another."""
    related: Annotated[int, msgspec.Meta(ge=0)] = 0
    """Times it was asked after the conversation had touched its subject, and the answer was the same."""


class Learning(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    propose: bool = True
    proposed_after: Shown = Shown()
    accepted_after: Shown | None = None
    """The rule under which a proposal needs no person; none: a person decides."""
    trusted_at: Share = 0.7
    """Lower end of the interval of success at which the answer of a level counts."""
    kept: Count = 2000
    """Questions of which is remembered how they were answered."""

    def __post_init__(self) -> None:
        rule = self.accepted_after
        if rule is not None and rule.related < 1:
            raise ValueError(
                "accepted_after.related has to be 1 or more: only an answer that stayed the same after its subject had "
                "come up is shown not to depend on the conversation"
            )
