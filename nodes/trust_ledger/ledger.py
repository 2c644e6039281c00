"""The ledger on disk: SQLite, append-only, every entry chained and signed, its body sealed.

What `append` has returned is on the disk (WAL, synchronous=FULL), with everything that rests on it. A second telling of
the same is answered with the entry that it already has.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import msgspec

from nodes.trust_ledger import audit, noted, rows, transfer
from nodes.trust_ledger.audit import Examined
from nodes.trust_ledger.batch import Batch, Hand, Receipt, Telling, context, end
from nodes.trust_ledger.chain import Entry, Finding, Head
from nodes.trust_ledger.derived import Derived, decode, outcome_of, take
from nodes.trust_ledger.reputation import Place
from nodes.trust_ledger.rows import Seal
from nodes.trust_ledger.tables import LedgerError, open_base, open_reading
from nodes.trust_ledger.tensors import Standing
from protocol.errors import SageError, SealError
from protocol.lct import Lct
from protocol.messages.action import Imported
from protocol.messages.trust import Outcome
from runtime.identity import verify

LEDGER_FILE = "trust.sqlite"
NUMBER_DIGITS = 19
"""SQLite counts no further than 2^63 - 1."""
LAST = "last"
"""Names the last action."""

__all__ = ["LEDGER_FILE", "Ledger", "LedgerError", "Receipt", "Telling"]


class Ledger:
    """One process writes it; any may read it with the host's keys."""

    def __init__(self, path: Path, identity: Hand, sealer: Seal) -> None:
        self.path = path
        self.unnoted = 0
        """Heads that could not be noted beside the file."""
        self._identity = identity
        self._sealer = sealer
        self._derived = Derived(identity.lct, verify)
        self._base = open_base(path, self._adopt_first_format)
        try:
            rows.load(self._base, self._derived, sealer)
        except (SealError, msgspec.DecodeError):  # `verify` names the row; what the entries give counts
            self._derived = self._replayed(self._base)

    def close(self) -> None:
        self._base.close()

    def append(self, tellings: Sequence[Telling], wall_ns: int) -> list[Receipt]:
        """Write down what is new among `tellings`, together, and say which entries they have. Durable on return."""
        branch = self._derived.branch()
        with self._writing():
            batch = Batch(self._base, branch, self._identity, self._sealer, wall_ns)
            receipts = [batch.tell(telling) for telling in tellings]
            head = batch.finish()
        self._derived.keep(branch)
        self._note(head)
        return receipts

    def entries(self, after: int = 0) -> Iterator[Entry]:
        """Entries as they stand, in order, from the one that follows number `after`."""
        with self._reading() as base:
            yield from rows.entries(base, after)

    def said(self, entry: Entry) -> Any:
        """What an entry says. Raises `SealError` where its body does not open, `Inconsistent` where it is not known."""
        return decode(entry.kind, self._sealer.open(entry.body, context(entry.key)))

    def outcome(self, entry: Entry) -> Outcome | None:
        """The outcome that an entry tells of; None where it tells of something else."""
        return outcome_of(self.said(entry))

    def find(self, which: str) -> Entry | None:
        """An entry by its number or its key; by the name of an exchange, its last one; by `last`, the last action."""
        with self._reading() as base:
            if which == LAST:
                number = _last_action(base)
            else:
                number = int(which) if which.isdecimal() and len(which) < NUMBER_DIGITS else _numbered(base, which)
            return rows.entry(base, number) if number is not None else None

    def numbered(self, numbers: Iterable[int]) -> dict[int, Entry]:
        """Of these, the entries that there are."""
        with self._reading() as base:
            found = [rows.entry(base, number) for number in set(numbers)]
        return {one.number: one for one in found if one is not None}

    def witnesses(self, subject: str) -> list[Any]:
        """The attestations that were made of an entry or an identity, oldest first."""
        with self._reading() as base:
            begin = f":witness/{subject}/"
            query = "SELECT number FROM entries WHERE key >= ? AND key < ? ORDER BY number"
            numbers = base.execute(query, (begin, f"{begin}\U0010ffff")).fetchall()
            found = [rows.entry(base, number) for (number,) in numbers]
        return [self.said(one).attestation for one in found if one is not None]

    def identities(self) -> list[Lct]:
        return sorted(dict(self._derived.identities).values(), key=lambda lct: lct.id)

    def standings(self) -> list[tuple[Place, Standing]]:
        return sorted(dict(self._derived.standings).items())

    def counts(self) -> dict[str, float]:
        return {"identities": len(self._derived.identities), "standings": len(self._derived.standings)}

    def rules(self) -> Any:
        """Those that apply now; None before any were adopted."""
        return self._derived.rules.get(self._derived.current)

    def count(self) -> int:
        """Number of the last entry."""
        return end(self._base)[0]

    def verify(self, head: Head | None = None) -> list[Finding]:
        """Replay chain and signatures as they stand now; empty where all is as it was written."""
        return self.examine(head).findings

    def examine(self, head: Head | None = None) -> Examined:
        """Replay chain and signatures, and build anew what rests on them. `head`: one that somebody noted down.

        It reads over a connection of its own, so it may run in a thread while others append.
        """
        # The note is read first: a head that is noted later may not be in what this transaction sees of the file.
        heads = [one for one in (noted.read(self.path, self._identity.verify), head) if one is not None]
        with self._reading() as base:
            return audit.examine(base, self._identity, self._sealer, verify, heads)

    def restore(self, examined: Examined) -> None:
        """Write what rests on the entries anew, as they give it."""
        with self._writing():
            for table in ("rules", "identities", "standings"):
                self._base.execute(f"DELETE FROM {table}")  # noqa: S608
            for entry, adopted in examined.adopted:
                rows.keep_rules(self._base, entry, adopted)
            rows.keep_identities(self._base, examined.derived.identities)
            rows.keep_standings(self._base, examined.derived.standings, self._sealer)
        self._derived = examined.derived

    def export(self, wall_ns: int) -> Iterator[bytes]:
        """The ledger as lines of a file that proves itself: see `transfer`. Raises `SealError`."""
        with self._reading() as base:
            yield from transfer.export(base, self._identity, self._sealer, wall_ns)

    def take_in(self, lines: Iterable[bytes], wall_ns: int) -> Imported:
        """Take in what a ledger exported, all of it or nothing. Raises `TransferRefused`."""
        branch = self._derived.branch()
        head = None
        with self._writing():
            taken = transfer.take_in(self._base, lines, self._identity, self._sealer, verify)
            if taken.origin != self._identity.lct.id:
                batch = Batch(self._base, branch, self._identity, self._sealer, wall_ns)
                receipt = batch.tell(Telling(taken))
                if receipt.refused is not None:
                    raise receipt.refused
                head = batch.finish()
        if taken.origin == self._identity.lct.id:
            self.restore(self.examine())
        else:
            self._derived.keep(branch)
            self._note(head)
        return taken

    def _note(self, head: Head | None) -> None:
        """Beside the file, so that an older file put back shows. Every entry is safe without it."""
        if head is None:
            return
        try:
            noted.write(self.path, head)
        except OSError:
            self.unnoted += 1

    def _adopt_first_format(self, base: sqlite3.Connection) -> None:
        """Fill the tables of version 2 by the entries of version 1."""
        derived = self._replayed(base)
        rows.keep_standings(base, derived.standings, self._sealer)

    def _replayed(self, base: sqlite3.Connection) -> Derived:
        """What the entries give, as far as they can be read."""
        derived = Derived(self._identity.lct, verify)
        for entry in rows.entries(base):
            try:
                said = self.said(entry)
                take(derived, said, entry.number, entry.wall_ns, lambda number: rows.entry_digest(base, number))
            except SageError:  # `verify` names it
                continue
        return derived

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            self._base.execute("BEGIN IMMEDIATE")
            with self._base:
                yield
        except sqlite3.Error as error:
            raise self._broken(error) from error

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        try:
            with closing(open_reading(self.path)) as base:
                yield base
        except sqlite3.Error as error:
            raise self._broken(error) from error

    def _broken(self, error: sqlite3.Error) -> LedgerError:
        return LedgerError(
            f"the ledger cannot be used: {error}",
            place=str(self.path),
            remedy="check that the disk has room; restore the file from a backup if it is damaged",
        )


def _last_action(base: sqlite3.Connection) -> int | None:
    """The number of the last action: what was done, not a rule, an identity or a statement."""
    (number,) = base.execute("SELECT max(number) FROM entries WHERE kind IN ('r6', 'r7', 'outcome')").fetchone()
    return None if number is None else int(number)


def _numbered(base: sqlite3.Connection, which: str) -> int | None:
    row = base.execute("SELECT number FROM entries WHERE key = ?", (which,)).fetchone()
    if row is None:
        query = "SELECT max(number) FROM entries WHERE key >= ? AND key < ?"
        row = base.execute(query, (f"{which}/", f"{which}/\U0010ffff")).fetchone()
    return row[0] if row else None
