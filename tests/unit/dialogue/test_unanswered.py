"""Which conversations wait for an answer to what was asked."""

from __future__ import annotations

from nodes.dialogue.hindsight import SOON_NS
from nodes.dialogue.unanswered import Unanswered


def test_a_conversation_is_unanswered_until_it_is_answered() -> None:
    unanswered = Unanswered()
    assert not unanswered.asked("s", 1)
    assert unanswered.asked("s", 2)
    assert not unanswered.asked("another", 2)
    unanswered.answered("s")
    assert not unanswered.asked("s", 3)
    unanswered.answered("never heard of")


def test_what_went_unanswered_long_ago_is_forgotten() -> None:
    unanswered = Unanswered()
    unanswered.asked("s", 1)
    assert unanswered.asked("s", 1 + SOON_NS)
    assert not unanswered.asked("s", 2 + 2 * SOON_NS)
