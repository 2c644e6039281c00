"""Moments of a conversation to come back to: where something mattered much, or another topic began."""

from __future__ import annotations

from collections import OrderedDict

from nodes.dialogue.config import Checkpoints
from protocol.messages.context import ExchangeScored

SESSIONS = 1000
"""Remembered as begun; the one that was silent for longest is forgotten first."""


class Moments:
    def __init__(self, settings: Checkpoints) -> None:
        self._settings = settings
        self._begun: OrderedDict[str, None] = OrderedDict()

    def why(self, scored: ExchangeScored) -> str:
        """Why the exchange is one; empty where it is none. What is learned of it later makes it none.

        With what a conversation begins is new, but no other topic.
        """
        if scored.revision or not scored.known:
            return ""
        goes_on = self._goes_on(scored.session)
        snarc = scored.snarc
        if snarc.salience >= self._settings.salience:
            return f"it mattered: salience {snarc.salience:.2f}"
        if goes_on and snarc.novelty >= self._settings.novelty:
            return f"another topic: novelty {snarc.novelty:.2f}"
        return ""

    def _goes_on(self, session: str) -> bool:
        known = session in self._begun
        self._begun[session] = None
        self._begun.move_to_end(session)
        if len(self._begun) > SESSIONS:
            self._begun.popitem(last=False)
        return known
