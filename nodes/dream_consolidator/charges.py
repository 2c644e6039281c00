"""What dreams were charged, and so what the next one of a level is expected to cost. Values in, values out, and a file.

A dream may take several stretches; what they cost together is what it cost.
"""

from __future__ import annotations

import statistics
from pathlib import Path

import msgspec

from runtime.paths import write_atomically

RECENT = 5
"""Dreams of a level that an expectation is made of: the median of what they cost."""
LEAST = 0.25
"""Of what a dream is expected to cost: what a further stretch is, where the earlier ones took as much already."""


class Charge(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    dream: str
    level: str
    atp: float
    ended: bool = False


def added(known: tuple[Charge, ...], dream: str, level: str, atp: float, *, ended: bool) -> tuple[Charge, ...]:
    """With another stretch of the dream; of those that ended, the recent ones of each level are kept."""
    before = sum(one.atp for one in known if one.dream == dream)
    others = [one for one in known if one.dream != dream]
    all_ = [*others, Charge(dream=dream, level=level, atp=before + atp, ended=ended)]
    recent = {id(one) for name in {one.level for one in all_} for one in _ended(all_, name)[-RECENT:]}
    return tuple(one for one in all_ if not one.ended or id(one) in recent)


def expected(known: tuple[Charge, ...], dream: str, level: str, first: float) -> float:
    """ATP that a stretch of the dream is expected to cost; `first`: a dream, where none of the level has ended."""
    ended = _ended(known, level)[-RECENT:]
    whole = statistics.median(one.atp for one in ended) if ended else first
    return max(LEAST * whole, whole - sum(one.atp for one in known if one.dream == dream))


class Charges:
    """The charges on the disk."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.problem = ""
        """Why what was known of charges is lost; empty where it is not."""
        self._known = self._read()

    def expected(self, dream: str, level: str, first: float) -> float:
        return expected(self._known, dream, level, first)

    def of(self, dream: str) -> float | None:
        """ATP that the dream was charged so far; None for one that is not among the recent ones."""
        return next((one.atp for one in self._known if one.dream == dream), None)

    def add(self, dream: str, level: str, atp: float, *, ended: bool) -> None:
        """Take down what a stretch cost, on the disk when this returns. Raises OSError."""
        self._known = added(self._known, dream, level, atp, ended=ended)
        write_atomically(self._path, msgspec.json.encode(self._known))

    def _read(self) -> tuple[Charge, ...]:
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=tuple[Charge, ...])
        except FileNotFoundError:
            return ()
        except (OSError, msgspec.MsgspecError) as error:
            self.problem = f"{self._path}: {error}"
            return ()


def _ended(known: list[Charge] | tuple[Charge, ...], level: str) -> list[Charge]:
    return [one for one in known if one.level == level and one.ended]
