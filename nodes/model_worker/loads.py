"""What nobody else settles, until the controller has booked it: starts, loads, and work that its asker gave up.

Values in, values out.
"""

from collections import deque

from nodes.model_worker.effort import Effort
from protocol.messages.metabolism import Settle
from protocol.messages.model import Embedded, Generated, Taught

WAITING = 64
"""Bills that wait to be booked; of more than that the oldest are given up, and counted."""


class Loads:
    def __init__(self, level: str) -> None:
        self._level = level
        self._bills: deque[Settle] = deque()
        self._counts = {"settled": 0, "refused": 0, "given_up": 0, "unheard": 0}

    def add(self, ident: str, effort: Effort) -> None:
        """A load, under an ident that no other has."""
        self._add("load", "load", ident, effort)

    def add_start(self, ident: str, cpu_s: float) -> None:
        """What it took until this process could load a model. No sensor was read by then: processor seconds speak."""
        self._add("start", "load", ident, Effort(cpu_s, 0.0, "", seconds=0.0))

    def add_failed(self, kind: str, ident: str, effort: Effort) -> None:
        """What a load or an exchange took until it failed."""
        self._add("failed", kind, ident, effort)

    def add_unheard(self, ident: str, generated: Generated) -> None:
        """What was made of an answer until its asker gave it up: it never learns what that took."""
        effort = Effort(generated.cpu_s, generated.joules, generated.joules_source, seconds=0.0)
        self._add("unheard", "exchange", ident, effort)
        self._counts["unheard"] += 1

    def add_taught_in_vain(self, ident: str, taught: Taught) -> None:
        """What was taught of a request whose asker never learns what that took."""
        effort = Effort(taught.cpu_s, taught.joules, taught.joules_source, seconds=taught.seconds)
        self._add("taught", "dream", ident, effort)
        self._counts["unheard"] += 1

    def add_embedded(self, ident: str, embedded: Embedded) -> None:
        """What it took to read texts: whoever asked for their vectors settles nothing."""
        effort = Effort(embedded.cpu_s, embedded.joules, embedded.joules_source, seconds=embedded.seconds)
        self._add("embedded", "embedding", ident, effort)

    def _add(self, what: str, kind: str, ident: str, effort: Effort) -> None:
        if len(self._bills) >= WAITING:
            self._bills.popleft()
            self._counts["given_up"] += 1
        self._bills.append(
            Settle(
                ident=f"{what}/{self._level}/{ident}",
                kind=kind,
                cpu_s=effort.cpu_s,
                joules=effort.joules,
                source=effort.source,
            )
        )

    def next(self) -> Settle | None:
        return self._bills[0] if self._bills else None

    def strike(self, bill: Settle, *, refused: bool = False) -> None:
        """It is booked, or never will be. One that is struck already counts once."""
        if bill in self._bills:
            self._bills.remove(bill)
            self._counts["refused" if refused else "settled"] += 1

    def stats(self) -> dict[str, float]:
        return {"waiting": len(self._bills), **self._counts}
