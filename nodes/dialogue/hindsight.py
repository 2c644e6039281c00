"""What is learned of an exchange after it was over: by the next turn, and by whoever says so. Values in, values out."""

from __future__ import annotations

from nodes.dialogue.conversation import Conversation
from nodes.dialogue.deliveries import ASSUMPTION, CORRECTION, REPETITION, UNCORRECTED, Delivery, rewarding
from protocol.errors import BadRequest
from protocol.messages.context import Classified, Reward
from protocol.messages.dialogue import Feedback, TraceReply

ACCEPTED = 0.6
"""Reward of an answer that the next turn did not correct: a little better than nothing known."""
SURE = 0.5
"""A turn that corrects, or asks again, with less than this does not."""
ASKED_AGAIN = 0.2
"""Reward of an answer after which the same was asked again: it did not serve, or was not understood."""
SOON_NS = 60 * 10**9
"""Who asks the same again later than this wants to know whether it is still so."""


def of_turn(before: Conversation, classified: Classified | None, now_ns: int) -> Reward | None:
    """How the last answer of the conversation turned out, as far as the words after it tell; None if they do not.

    After an answer that asks, a "no" is no correction, and who says the same again answers. `now_ns`: monotonic.
    """
    if not before.exchange or not before.messages or classified is None:
        return None
    corrected, repeated = classified.correction >= SURE, classified.repetition >= SURE
    if not (corrected or repeated):
        return Reward(exchange=before.exchange, value=ACCEPTED, source=UNCORRECTED)
    if before.messages[-1].content.rstrip().endswith("?"):
        return None
    if corrected:
        return Reward(exchange=before.exchange, value=0.0, source=CORRECTION)
    if before.ended_ns and 0 <= now_ns - before.ended_ns <= SOON_NS:
        return Reward(exchange=before.exchange, value=ASKED_AGAIN, source=REPETITION)
    return None


def found_wrong(before: Conversation, classified: Classified | None) -> str:
    """Who found the conversation's last answer wrong: a verifier then, or its asker now; empty: nobody."""
    reward = of_turn(before, classified, before.ended_ns)
    if reward is not None and reward.source == CORRECTION:
        return "its asker"
    return before.found_wrong


def of_feedback(feedback: Feedback, found: TraceReply | None, levels: list[str], now_ns: int) -> list[Delivery]:
    """What has to be told to whom: nobody of an answer that was only given again, for what it rests on is here.

    Raises BadRequest for a value that is none, and where there is nothing to learn.
    """
    if not 0 <= feedback.value <= 1:
        raise BadRequest(f"a value lies between 0 and 1, not at {feedback.value}", place="dialogue/feedback: value")
    if feedback.source in ("", CORRECTION, REPETITION, UNCORRECTED):
        raise BadRequest(
            f"{feedback.source!r} is not somebody; name `user`, or a verifier", place="dialogue/feedback: source"
        )
    if found is None:
        raise BadRequest(
            f"no exchange {feedback.exchange!r} is kept",
            place="dialogue/feedback: exchange",
            remedy="`sage ask --json` and `sage trace` show the id of an exchange",
        )
    if found.answered_by == ASSUMPTION:
        return []
    if found.answered_by not in levels:
        raise BadRequest(
            f"it was answered by {found.answered_by}: there is no model to learn from it", place="dialogue/feedback"
        )
    reward = Reward(exchange=found.exchange, value=feedback.value, source=feedback.source)
    return rewarding(reward, f"{found.exchange}/told/{now_ns}")
