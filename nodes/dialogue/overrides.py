"""When the most capable level answers whatever trust and energy say, and why. Values in, a reason out.

What can be known of danger without understanding a sentence is little: the asker may say so (`Ask.critical`), or say
what is anchored in `critical`. A dangerous question in other words, unmarked, is not noticed here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

import msgspec

from nodes.dialogue.critical import Critical

_NOVEL = "novel"


class Rule(StrEnum):
    """What overrules the choice by trust and price, as the ledger has it."""

    CRISIS = "crisis"
    """The metabolic policy is `largest`."""
    USER = "user"
    """The asker named the level."""
    CRITICAL = "critical"
    """A wrong answer would do harm."""
    FOUND_WRONG = "found_wrong"
    """A verifier, or its asker, found the conversation's last answer wrong."""
    UNPROVED = "unproved"
    """Replay found no cheaper choice to be good enough."""
    NOVEL = "novel"
    """A level has shown too few outcomes in the context `novel`."""
    ALARM = "alarm"
    """A level that has drifted is passed over."""


@dataclass(frozen=True)
class Overruled:
    rule: Rule
    why: str


class OverrideSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    novel_outcomes: Annotated[float, msgspec.Meta(ge=0)] = 8.0
    """Outcomes that a level must have shown in `novel` before it may answer there."""


def of_words(text: str, declared: bool, critical: Critical) -> str:
    """Why a wrong answer to `text` would do harm; empty where nothing says so."""
    if declared:
        return "the asker says that much depends on it"
    intent = critical.intent_of(text)
    return f"it is about {intent}" if intent else ""


def overruled(policy: str, critical: str, found_wrong: str, proved: bool) -> Overruled | None:
    """Why the most capable level answers before any level is weighed; None where nothing overrules the choice.

    `found_wrong`: who found the conversation's last answer wrong. `proved`: whether replay left a cheaper choice.
    """
    if policy == "largest":
        return Overruled(Rule.CRISIS, "the most capable answers, whatever it costs")
    if critical:
        return Overruled(Rule.CRITICAL, f"the most capable answers, for {critical}")
    if found_wrong:
        return Overruled(
            Rule.FOUND_WRONG, f"the most capable answers, for the last answer was found wrong by {found_wrong}"
        )
    if not proved:
        return Overruled(
            Rule.UNPROVED, "the most capable answers, for replay showed no cheaper choice to be good enough"
        )
    return None


def untried(context: str, evidence: float, settings: OverrideSettings) -> str:
    """Why a level may not answer here yet; empty where it may."""
    if context != _NOVEL or evidence >= settings.novel_outcomes:
        return ""
    return f"only {evidence:.1f} of {settings.novel_outcomes:g} outcomes in {context}"


def alarms(told: Sequence[tuple[str, str]]) -> str:
    """The levels that are passed over because of an alarm, each with what raised it."""
    return ", ".join(f"{level} passed over: {alarm}" for level, alarm in told if alarm)
