"""When the most capable level answers whatever trust and energy say, and why. Values in, a reason out.

What can be known of danger without understanding a sentence is little: the asker may say so (`Ask.critical`), and the
configuration may name phrases. A dangerous question in other words, unmarked, is not noticed here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import msgspec

from nodes.dialogue.patterns import normalised

NOVEL = "novel"


class OverrideSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    critical: tuple[Annotated[str, msgspec.Meta(min_length=1)], ...] = ()
    """Phrases, whole words of any case, in a question that only the most capable level may answer."""
    novel_outcomes: Annotated[float, msgspec.Meta(ge=0)] = 8.0
    """Outcomes that a level must have shown in `novel` before it may answer there."""


def of_words(text: str, declared: bool, settings: OverrideSettings) -> str:
    """Why a wrong answer to `text` would do harm; empty where nothing says so."""
    if declared:
        return "the asker says that much depends on it"
    spoken = f" {normalised(text)} "
    found = next((phrase for phrase in settings.critical if f" {normalised(phrase)} " in spoken), None)
    return f"it says {found!r}" if found else ""


def overruled(policy: str, critical: str, found_wrong: str, proved: bool) -> str:
    """Why the most capable level answers before any level is weighed; empty where nothing overrules the choice.

    `found_wrong`: who found the conversation's last answer wrong. `proved`: whether replay left a cheaper choice.
    """
    if policy == "largest":
        return "the most capable answers, whatever it costs"
    if critical:
        return f"the most capable answers, for {critical}"
    if found_wrong:
        return f"the most capable answers, for the last answer was found wrong by {found_wrong}"
    if not proved:
        return "the most capable answers, for replay showed no cheaper choice to be good enough"
    return ""


def untried(context: str, evidence: float, settings: OverrideSettings) -> str:
    """Why a level may not answer here yet; empty where it may."""
    if context != NOVEL or evidence >= settings.novel_outcomes:
        return ""
    return f"only {evidence:.1f} of {settings.novel_outcomes:g} outcomes in {context}"


def alarms(told: Sequence[tuple[str, str]]) -> str:
    """The levels that are passed over because of an alarm, each with what raised it."""
    return ", ".join(f"{level} passed over: {alarm}" for level, alarm in told if alarm)
