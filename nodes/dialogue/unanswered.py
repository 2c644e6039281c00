"""Conversations in which something was asked, of late, that came to no answer: it failed, or was given up.

The sense of context has heard it all the same. Who asks it once more says nothing of the answer before it.
"""

from __future__ import annotations

from nodes.dialogue.hindsight import SOON_NS


class Unanswered:
    def __init__(self) -> None:
        self._asked_ns: dict[str, int] = {}

    def asked(self, session: str, now_ns: int) -> bool:
        """Something is asked; whether what was asked before it is without an answer."""
        self._asked_ns = {name: at for name, at in self._asked_ns.items() if now_ns - at <= SOON_NS}
        before = session in self._asked_ns
        self._asked_ns[session] = now_ns
        return before

    def answered(self, session: str) -> None:
        self._asked_ns.pop(session, None)
