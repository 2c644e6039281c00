"""What one stretch of a dream costs, claimed while it lasts out of what is held for it. Pure.

A claim that was not answered stays the same until it is: asked again, the controller books it once. The last claim, of
nothing, is in the name under which energy is held, and so gives back the rest.
"""

from __future__ import annotations

from collections import deque

import msgspec

from protocol.messages.metabolism import Reserve, Settle

HELD_S = 60.0
"""Seconds without a word of the dreamer after which what is held is given back."""
MORE = 0.25
"""Of what was held at first: so much is held again, each time that it is used up."""


class Bill:
    def __init__(self, leg: str, expected: float) -> None:
        """`leg` names the stretch; no other has this name. `expected` to cost so many ATP."""
        self.leg = leg
        self.charged = 0.0
        """ATP booked so far."""
        self._expected = expected
        self._left = expected
        self._claims = 0
        self._spent_s = 0.0
        self._waiting: deque[Settle] = deque()
        self._sent = False
        """Whether the first of those that wait may have been booked already."""

    def wish(self) -> Reserve:
        """To have held what is left of what was expected; a part of it again, where that was not enough."""
        if self._left <= 0:
            self._left = MORE * self._expected
        return Reserve(ident=self.leg, kind="dream", atp=self._left, ttl_s=HELD_S)

    def spent(self, seconds: float, joules: float = 0.0, source: str = "") -> None:
        """So many processor seconds the stretch has taken in all; so many joules were counted since this was last said.

        What was measured and what was not are not added up: a claim with joules is settled by them alone.
        """
        more = max(0.0, seconds - self._spent_s)
        self._spent_s += more
        if not more and not joules:
            return
        last = self._waiting[-1] if self._waiting else None
        if last is not None and last.source == source and not (self._sent and len(self._waiting) == 1):
            self._waiting[-1] = msgspec.structs.replace(last, cpu_s=last.cpu_s + more, joules=last.joules + joules)
            return
        self._claims += 1
        self._waiting.append(
            Settle(
                ident=f"{self.leg}/{self._claims}",
                kind="dream",
                cpu_s=more,
                joules=joules,
                source=source,
                out_of=self.leg,
            )
        )

    def over(self) -> None:
        """Nothing more will be spent."""
        self._waiting.append(Settle(ident=self.leg, kind="dream"))

    def claim(self) -> Settle | None:
        """What is to be booked now; None for nothing."""
        if not self._waiting:
            return None
        self._sent = True
        return self._waiting[0]

    def booked(self, atp: float) -> None:
        """The claim was answered: it cost so much."""
        self._waiting.popleft()
        self._sent = False
        self.charged += atp
        self._left -= atp
