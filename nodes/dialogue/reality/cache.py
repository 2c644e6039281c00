"""The reality cache: hold an assumption, ask whether it is still so, observe what shakes it, forget it.

    check(key)              is it still so? No model, no sensor: it and all it rests on are held and sure enough
    hold(assumption)        it was found to be so now, by whoever computed or verified it
    observe(key, evidence)  something was seen that bears on it: it goes on, is doubted, or is broken
    forget(…)               take it out

What is broken takes with it everything that rests on it, directly or not. All of that is marked in the same
transaction, so nothing that has lost its ground is ever given out; the number of assumptions kept bounds how much that
can be. What is doubted keeps what rests on it waiting until it was verified. Whatever changes is on the disk when a
method returns.
"""

from __future__ import annotations

import sqlite3
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

import msgspec

from nodes.dialogue.reality.assumption import Assumption, Evidence, Standing, Value
from nodes.dialogue.reality.names import Names
from nodes.dialogue.reality.outcomes import (
    Became,
    Checked,
    Circular,
    Found,
    Held,
    Observed,
    UnknownAssumption,
    Unsupported,
)
from nodes.dialogue.reality.settings import RealityConfig
from nodes.dialogue.reality.shelf import Cascade, Row, Shelf
from nodes.dialogue.reality.surprise import AGREES, Judgement, Response, aged, judge
from nodes.dialogue.store import Store, StoreUnwritable
from protocol.errors import SealError

REFUTED = 8
"""Refuted values remembered of one assumption."""
OWED = ("prefix", "sense")
"""Kinds (see `kept`) of which a broken one notes that something is to be dropped elsewhere: it stays until then."""
GROUND = "conversation"
"""Kind on which these rest. What is owed, and its broken ground, does not count as kept; it has a bound of its own."""
UNWRITTEN = 256
"""Uses that wait to be written down with the next change; a crash forgets no more than which came last."""


class Reality:
    """May be used by several threads; each method is one transaction."""

    def __init__(
        self, store: Store, config: RealityConfig, names: Names, seconds: Callable[[], float] = lambda: 0.0
    ) -> None:
        """`store`: opened with `shelf.TABLES`. `seconds`: a monotonic clock, for how long rebuilding takes."""
        self.config = config
        self.names = names
        self.shelf = Shelf(store)
        self._seconds = seconds
        self._lock = threading.RLock()
        self._used: dict[int, int] = {}
        self._counts: Counter[str] = Counter()
        self._rebuild_s = self._longest_s = 0.0

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Several changes at once: all are on the disk when it ends, or none."""
        with self._lock, self.shelf.store.transaction():
            yield

    def check(self, key: str, now_ns: int) -> Checked:
        """Whether it is still so. One query; of what holds it is noted that it was used, on the disk now and then."""
        with self._lock:
            line = self.shelf.line(key)
            checked = self._checked(line, now_ns) if line else Checked(Found.UNKNOWN, why="nothing is assumed of it")
            self._counts["hits" if checked.found is Found.HOLDS else "misses"] += 1
            self._counts[f"checked.{checked.found}"] += 1
            if checked.found is Found.HOLDS:
                self._use(line[0].number, now_ns)
            return checked

    def hold(self, given: Assumption, now_ns: int, *, verified: bool = False, grown: bool = False) -> Held:
        """It was found to be so now. Where another value was held, that was wrong, and what rests on it is broken.

        `verified`: somebody who can tell says so; otherwise a value that was refuted is refused. `grown`: its value has
        changed as it was bound to, which breaks nothing.
        Raises `Unsupported` where it rests on what is not assumed, `Circular` where that rests on it.
        """
        began = self._seconds()
        with self.transaction():
            before = self.opened(self.shelf.row(given.key))
            digest = self.names.value(given.value)
            refuted = before.refuted if before else ()
            if digest in refuted and not verified:
                self._counts["refused"] += 1
                return Held(Became.REFUSED)
            supports = self._supports(given)
            became = _becomes(before, same=before is not None and (grown or self.names.value(before.value) == digest))
            now_held = msgspec.structs.replace(
                given,
                confidence=min(given.confidence, self.config.confidence.limit),
                standing=Standing.HELD,
                why="",
                refuted=tuple(each for each in refuted if each != digest),
                revision=(before.revision if before else 0) + (became is not Became.VERIFIED),
                made_ns=before.made_ns if before else now_ns,
                verified_ns=now_ns,
            )
            number = self.shelf.put(now_held, now_ns)
            self.shelf.rest(number, supports)
            followed: tuple[str, ...] = ()
            if became is Became.REBUILT and before is not None:
                seen = judge(before, Evidence(value=given.value), self.shelf.bears(number), now_ns, self.config)
                followed = self._follow(given.key, number, "it was found to be otherwise", seen.surprise, began, now_ns)
            self._make_room(number)
            self._counts[became] += 1
            self._counts["verifies"] += became is Became.VERIFIED and not grown
            return Held(became, followed)

    def observe(self, key: str, evidence: Evidence, now_ns: int) -> Observed:
        """Take in what was seen. Raises `UnknownAssumption`.

        Broken and seen anew by somebody who is never wrong, it has its new value at once; otherwise it waits to be held
        again.
        """
        began = self._seconds()
        with self.transaction():
            row = self.shelf.row(key)
            known = self.opened(row)
            if row is None or known is None:
                raise UnknownAssumption("nothing is assumed under this key", place=key, remedy="`sage reality show`")
            self._counts["observed"] += 1
            judgement = judge(known, evidence, self.shelf.bears(row.number), now_ns, self.config)
            digest, limit = self.names.value(known.value), self.config.confidence.limit
            after = _after(known, evidence, judgement, digest, now_ns, limit)
            after = self._restored(after, known, evidence, judgement)
            self.shelf.put(after, now_ns)
            followed: tuple[str, ...] = ()
            # What rests on something broken waits for it as it was; where it comes back otherwise, that is broken too.
            otherwise = self.names.value(after.value) != digest
            if judgement.response is Response.REBUILD and (otherwise or known.standing is not Standing.BROKEN):
                followed = self._follow(key, row.number, _why(judgement, evidence), judgement.surprise, began, now_ns)
            self._counts[f"answered by {judgement.response}"] += 1
            return Observed(key, known.level, judgement, after.standing, followed)

    def doubt(self, key: str, why: str) -> bool:
        """It may have changed: to be verified before it is relied on. Whether it was held."""
        with self.transaction():
            row = self.shelf.row(key)
            if row is None or row.standing is not Standing.HELD:
                return False
            self.shelf.stand([row.number], Standing.DOUBTED, why)
            self._counts["doubts"] += 1
            return True

    def break_off(self, key: str, why: str, now_ns: int) -> tuple[str, ...]:
        """It is over, as somebody knows for certain: broken whatever its confidence. Keys of what followed."""
        began = self._seconds()
        with self.transaction():
            row = self.shelf.row(key)
            if row is None or row.standing is Standing.BROKEN:
                return ()
            self.shelf.stand([row.number], Standing.BROKEN, why)
            return self._follow(key, row.number, why, 1.0, began, now_ns)

    def forget(self, *, key: str = "", owner: str = "", everything: bool = False) -> tuple[int, tuple[str, ...]]:
        """Take out one, or all that came from a conversation, or all: (how many, keys broken because of it)."""
        with self.transaction():
            if everything:
                wanted = [row.number for row in self.shelf.listed("", -1)]
            elif key:
                wanted = list(self.shelf.numbers([key]).values())
            else:
                wanted = self.shelf.owned(owner) if owner else []
            below, _ = self._below(wanted)
            left = sorted(below - set(wanted))
            broken = self.shelf.keys(left)
            self.shelf.stand(left, Standing.BROKEN, "what it rests on was forgotten")
            self._counts["forgotten"] += len(wanted)
            self._counts["followed"] += len(broken)
            return self.shelf.remove(wanted), tuple(broken)

    def answered(self, exchange: str, key: str) -> None:
        """The exchange was answered from this assumption, or its answer became it."""
        with self.transaction():
            for number in self.shelf.numbers([key]).values():
                self.shelf.answered(exchange, number, self.config.kept.exchanges)

    def broken(self, kind: str) -> list[Assumption]:
        """Those of a kind (the first part of the key) that wait to be rebuilt or taken out."""
        with self._lock:
            rows = self.shelf.standing(kind, Standing.BROKEN)
            return [known for row in rows if (known := self.opened(row)) is not None]

    def stands(self, key: str, value: Value) -> bool:
        """Whether it is held, and with this value: then there is nothing to be written."""
        with self._lock:
            row = self.shelf.row(key)
            known = self.opened(row) if row is not None and row.standing is Standing.HELD else None
            return known is not None and known.value == value

    def bears(self, key: str) -> int:
        """How many rest directly on it."""
        with self._lock:
            row = self.shelf.row(key)
            return self.shelf.bears(row.number) if row is not None else 0

    def flush(self) -> None:
        """Write down when each was last used. Raises `StoreUnwritable`; then that still waits."""
        with self.transaction():
            self.shelf.touch(self._used)
            self._used.clear()

    def close(self) -> None:
        self._written_down()
        self.shelf.store.close()

    @property
    def given_up(self) -> int:
        """Debts that were dropped, never paid, because too many were owed."""
        return self._counts["given_up"]

    def stats(self) -> dict[str, float]:
        with self._lock:
            looked = self._counts["hits"] + self._counts["misses"]
            names = ("hits", "misses", "verifies", "rebuilds", "cascades", "followed", "doubts", "evictions", "refused")
            return {
                **{name: float(self._counts[name]) for name in names},
                **{
                    str(each): float(self._counts[each])
                    for each in (Became.NEW, "observed", "forgotten", "unreadable", "flushes_failed", "uses_dropped")
                },
                "owed": float(len(self.shelf.owed(OWED))),
                "given_up": float(self.given_up),
                **{f"found.{found}": float(self._counts[f"checked.{found}"]) for found in Found},
                "hit_rate": self._counts["hits"] / looked if looked else 0.0,
                "rebuild_s": self._rebuild_s,
                "rebuild_longest_s": self._longest_s,
                "kept": float(self.shelf.count()),
                "limit": float(self.config.kept.assumptions),
            }

    # What is found

    def _checked(self, line: list[Row], now_ns: int) -> Checked:
        known = self.opened(line[0])
        if known is None:
            return Checked(Found.UNKNOWN, why="it can no longer be read")
        for row in line:
            if row.standing is not Standing.HELD:
                found = Found.BROKEN if row.standing is Standing.BROKEN else Found.DOUBTED
                return Checked(found, why=f"{_named(row, line)} is {row.standing}: {row.why}")
        for row in line:
            left, bar = aged(row, now_ns), self.config.levels[row.level].bar
            if left < bar:
                return Checked(Found.UNSURE, why=f"{_named(row, line)} is held with {left:.2f}, less than {bar:.2f}")
        rests_on = tuple(self.shelf.keys(self.shelf.supports(line[0].number))) if len(line) > 1 else ()
        known = msgspec.structs.replace(known, rests_on=rests_on)
        return Checked(Found.HOLDS, known, aged(known, now_ns))

    def opened(self, row: Row | None) -> Assumption | None:
        """What the row says; None where it can no longer be read, which is counted."""
        try:
            return self.shelf.opened(row) if row is not None else None
        except (SealError, msgspec.MsgspecError):
            self._counts["unreadable"] += 1
            return None

    def _use(self, number: int, now_ns: int) -> None:
        self._used.pop(number, None)  # so that the oldest use stands first
        self._used[number] = self.shelf.stamp(now_ns)
        if len(self._used) < UNWRITTEN or self._written_down():
            return
        # Half of them, so that a disk that takes nothing is not tried again with every question.
        for oldest in list(self._used)[: UNWRITTEN // 2]:
            del self._used[oldest]
            self._counts["uses_dropped"] += 1

    def _written_down(self) -> bool:
        """Whether the uses could be. Where not, some use is forgotten, but nobody goes without an answer for that."""
        try:
            self.flush()
        except (StoreUnwritable, sqlite3.Error):
            self._counts["flushes_failed"] += 1
            return False
        return True

    # What becomes of it

    def _supports(self, given: Assumption) -> list[int]:
        numbers = self.shelf.numbers(given.rests_on)
        if missing := [key for key in given.rests_on if key not in numbers]:
            raise Unsupported(
                f"{given.key} rests on {missing[0]}, of which nothing is assumed",
                place=given.key,
                remedy="hold that first",
            )
        for support in given.rests_on:
            if support == given.key or any(row.key == given.key for row in self.shelf.line(support)):
                raise Circular(f"{support} rests on {given.key} itself", place=given.key, remedy="leave one edge out")
        return list(numbers.values())

    def _restored(self, after: Assumption, known: Assumption, evidence: Evidence, judgement: Judgement) -> Assumption:
        """Held again, where it was doubted and somebody reliable says the same."""
        bar = self.config.levels[known.level].bar
        agrees = judgement.distance <= AGREES and evidence.reliability >= bar
        if known.standing is not Standing.DOUBTED or not agrees:
            return after
        self._counts["verifies"] += 1
        return msgspec.structs.replace(after, standing=Standing.HELD, why="")

    def _follow(self, key: str, number: int, why: str, surprise: float, began: float, now_ns: int) -> tuple[str, ...]:
        """Break everything that rests on it."""
        below, depth = self._below([number])
        below.discard(number)
        keys = self.shelf.keys(below)
        changed = self.shelf.stand(below, Standing.BROKEN, f"{key} is otherwise")
        took = self._seconds() - began
        self._rebuild_s += took
        self._longest_s = max(self._longest_s, took)
        self._counts["rebuilds"] += 1
        self._counts["cascades"] += changed > 0
        self._counts["followed"] += changed
        cascade = Cascade(
            key=key, why=why, surprise=surprise, followed=changed, depth=depth, seconds=took, at_ns=now_ns
        )
        self.shelf.note(cascade, self.config.kept.cascades)
        return tuple(keys)

    def _below(self, numbers: Iterable[int]) -> tuple[set[int], int]:
        """These and all that rest on them, and the longest of the shortest ways there. Each is met once: it ends."""
        seen = set(numbers)
        edge, depth = set(seen), 0
        while edge := self.shelf.resting(edge) - seen:
            seen |= edge
            depth += 1
        return seen, depth

    def _make_room(self, spared: int) -> None:
        """Forget what was used least recently and bears nothing until no more are kept than may be.

        Of what is owed as well: state that was used longest ago is the likeliest to be gone where it was kept.
        """
        kept, count = self.config.kept, self.shelf.count()
        if count > kept.owed and (debts := self.shelf.owed(OWED)[: -kept.owed]):
            self._counts["given_up"] += self.shelf.remove(debts)
        while self.shelf.count() > kept.assumptions:
            over = self.shelf.count() - len(self.shelf.owed((*OWED, GROUND))) - kept.assumptions
            if over <= 0:
                return
            self.flush()
            loose = self.shelf.loose(over, spared, OWED)
            if not loose:
                return
            self._counts["evictions"] += self.shelf.remove(loose)


def _becomes(before: Assumption | None, *, same: bool) -> Became:
    if before is None:
        return Became.NEW
    return Became.VERIFIED if same else Became.REBUILT


def _after(
    known: Assumption, evidence: Evidence, judgement: Judgement, digest: str, now_ns: int, limit: float
) -> Assumption:
    """The assumption after the observation. `digest`: of its value; `limit`: of any confidence."""
    after = msgspec.structs.replace(known, confidence=judgement.after, verified_ns=now_ns)
    if evidence.refutes and judgement.distance > AGREES:
        kept = tuple(each for each in known.refuted if each != digest)
        after = msgspec.structs.replace(after, refuted=(*kept, digest)[-REFUTED:])
    if judgement.response is Response.REBUILD or known.standing is Standing.BROKEN:
        if evidence.value is not None and evidence.reliability == 1.0:
            return msgspec.structs.replace(
                after,
                value=evidence.value,
                standing=Standing.HELD,
                why="",
                confidence=limit,
                revision=known.revision + 1,
            )
        why = known.why if known.standing is Standing.BROKEN else _why(judgement, evidence)
        return msgspec.structs.replace(after, standing=Standing.BROKEN, why=why)
    if judgement.response is Response.VERIFY:
        return msgspec.structs.replace(after, standing=Standing.DOUBTED, why=_why(judgement, evidence))
    return after


def _why(judgement: Judgement, evidence: Evidence) -> str:
    return f"surprise {judgement.surprise:.2f}" + (f" by {evidence.by}" if evidence.by else "")


def _named(row: Row, line: list[Row]) -> str:
    return "it" if row is line[0] else row.key
