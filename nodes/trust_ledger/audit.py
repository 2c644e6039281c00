"""Whether a ledger is as it was written: its chain, its signatures, and everything that rests on its entries."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from operator import eq
from typing import Any

import msgspec

from nodes.trust_ledger import chain, rows, transfer
from nodes.trust_ledger.batch import Hand, context, end
from nodes.trust_ledger.chain import GENESIS, Entry, Finding, Head, Opened
from nodes.trust_ledger.derived import Derived, decode, same, take
from nodes.trust_ledger.identities import Verify
from nodes.trust_ledger.rows import Seal
from protocol.errors import SageError, SealError
from protocol.messages.action import Imported, RulesAdopted
from protocol.messages.trust import TrustTable

ROW_TOLERANCE = 0.01
"""By which a rebuilt rate of success may differ: now and then evidence is forgotten that weighs less than so much."""

_EMPTY = Head(0, GENESIS, b"")


@dataclass
class Examined:
    findings: list[Finding]
    derived: Derived
    """What the entries give; only as far as the chain is sound."""
    sound: bool = False
    """Whether the chain itself is as it was written."""
    stale: bool = False
    """Whether derived tables are not what the entries of a sound chain give."""
    adopted: list[tuple[int, RulesAdopted]] = field(default_factory=list)
    rebuilt: dict[str, int] = field(default_factory=dict)
    """Table → rows that were built anew and compared; empty where the chain is not sound: nothing rests on it."""
    head: Head = _EMPTY


def examine(base: sqlite3.Connection, hand: Hand, sealer: Seal, verify: Verify, noted: Sequence[Head] = ()) -> Examined:
    """Everything that is wrong. `noted` are heads that the chain had earlier."""
    number, link = end(base)
    replay = _Replay(base, Derived(hand.lct, verify), sealer)
    head = rows.head(base)
    if not chain.intact(replay.entries(), head, hand.verify):
        findings = list(_inspect(base, head, hand, sealer))
        return Examined(findings=findings or [_unlike()], derived=replay.derived)
    lost = [chain.not_held(one, lambda at: _link(base, at), number) for one in noted]
    examined = Examined(
        findings=[*filter(None, lost), *replay.findings],
        derived=replay.derived,
        sound=True,
        adopted=replay.adopted,
        head=Head(number, link, head.signature if head else b""),
    )
    examined.findings += transfer.foreign(base, sealer, verify, replay.imported)
    if not replay.findings:
        differences = list(_differences(base, replay, sealer))
        examined.findings += differences
        examined.stale = bool(differences)
        examined.rebuilt = {
            "rules": len(replay.adopted),
            "identities": len(replay.derived.identities),
            "standings": len(replay.derived.standings),
            "entries of other hosts": sum(one.entries for one in replay.imported.values()),
        }
    return examined


def table_differences(published: TrustTable, given: TrustTable) -> list[str]:
    """Rows of a trust table that are not what the entries give."""
    said, rebuilt = ({(row.level, row.version, row.context): row for row in one.rows} for one in (published, given))
    return [
        f"the trust table: {' '.join(arm)} is not what the entries give"
        for arm in sorted({*said, *rebuilt})
        if not (arm in said and arm in rebuilt and abs(said[arm].mean - rebuilt[arm].mean) <= ROW_TOLERANCE)
    ]


class _Replay:
    """Lets the entries of a chain pass by, and builds up what they give."""

    def __init__(self, base: sqlite3.Connection, derived: Derived, sealer: Seal) -> None:
        self.derived = derived
        self.findings: list[Finding] = []
        self.adopted: list[tuple[int, RulesAdopted]] = []
        self.imported: dict[str, Imported] = {}
        self._base = base
        self._sealer = sealer

    def entries(self) -> Iterator[Opened]:
        for entry in rows.entries(self._base):
            try:
                plain = self._sealer.open(entry.body, context(entry.key))
            except SealError:
                yield entry, None
                return
            yield entry, chain.content(plain)
            self._take(entry, plain)

    def _take(self, entry: Entry, plain: bytes) -> None:
        try:
            said = decode(entry.kind, plain)
            take(self.derived, said, entry.number, entry.wall_ns, self._digest)
        except SageError as error:
            message = f"entry {entry.number} ({entry.key}) {error.message}"
            self.findings.append(Finding(number=entry.number, kind="derived", message=message))
            return
        if isinstance(said, RulesAdopted):
            self.adopted.append((entry.number, said))
        elif isinstance(said, Imported):
            self.imported[said.origin] = said

    def _digest(self, number: int) -> bytes | None:
        return rows.entry_digest(self._base, number)


def _inspect(base: sqlite3.Connection, head: Head | None, hand: Hand, sealer: Seal) -> Iterator[Finding]:
    @cache
    def links() -> frozenset[bytes]:
        return frozenset(chain.link(*row) for row in base.execute("SELECT digest, signature FROM entries"))

    return chain.inspect(_opened(base, sealer), head, hand.lct.id, hand.verify, links)


def _opened(base: sqlite3.Connection, sealer: Seal) -> Iterator[Opened]:
    for entry in rows.entries(base):
        try:
            yield entry, chain.content(sealer.open(entry.body, context(entry.key)))
        except SealError:
            yield entry, None


def _link(base: sqlite3.Connection, number: int) -> bytes | None:
    row = base.execute("SELECT digest, signature FROM entries WHERE number = ?", (number,)).fetchone()
    return chain.link(*row) if row else None


def _differences(base: sqlite3.Connection, replay: _Replay, sealer: Seal) -> Iterator[Finding]:
    """Rows of derived tables that are not what the entries give."""
    written = list(base.execute("SELECT entry, digest, text FROM rules ORDER BY entry"))
    if written != [(entry, said.digest, said.text) for entry, said in replay.adopted]:
        yield _differs("rules", "they are not those that were adopted")
    for table, stored, given, alike in (
        ("identities", rows.identities(base), replay.derived.identities, eq),
        ("standings", rows.standings(base, sealer), replay.derived.standings, same),
    ):
        try:
            yield from _compared(table, dict(stored), given, alike)
        except (SealError, msgspec.DecodeError) as error:
            yield _differs(table, f"a row cannot be read: {error}")


def _compared(
    table: str, stored: Mapping[Any, Any], given: Mapping[Any, Any], alike: Callable[[Any, Any], bool]
) -> Iterator[Finding]:
    for key in sorted({*stored, *given}):
        name = key if isinstance(key, str) else " ".join(key)
        if key not in stored:
            yield _differs(table, f"{name} is missing")
        elif key not in given:
            yield _differs(table, f"{name} rests on no entry")
        elif not alike(stored[key], given[key]):
            yield _differs(table, f"{name} is not what the entries give")


def _differs(table: str, message: str) -> Finding:
    return Finding(number=0, kind="derived", message=f"the table of {table}: {message}")


def _unlike() -> Finding:
    return Finding(number=0, kind="edited", message="the chain is not as it was written")
