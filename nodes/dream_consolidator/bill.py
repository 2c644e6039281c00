"""What one stretch of a dream costs, claimed while it lasts, so that the account runs down while it does. Pure.

A claim that was not answered stays the same until it is: asked again, the controller books it once.
"""

from __future__ import annotations

from protocol.messages.metabolism import Settle


class Bill:
    def __init__(self, leg: str) -> None:
        """`leg` names the stretch; no other has this name."""
        self.leg = leg
        self._claims = 0
        self._spent_s = 0.0
        self._claimed_s = 0.0
        self._open: Settle | None = None

    def spent(self, seconds: float) -> None:
        """So many processor seconds the stretch has taken so far."""
        self._spent_s = max(self._spent_s, seconds)

    def claim(self) -> Settle | None:
        """What is to be booked now; None for nothing."""
        if self._open is None and self._spent_s > self._claimed_s:
            self._claims += 1
            seconds, self._claimed_s = self._spent_s - self._claimed_s, self._spent_s
            self._open = Settle(ident=f"{self.leg}/{self._claims}", kind="dream", cpu_s=seconds)
        return self._open

    def booked(self) -> None:
        """The open claim was answered."""
        self._open = None
