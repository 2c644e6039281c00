"""An exported ledger, proved from its own bytes and its origin's public key: no ledger, no host key, no process needed.

Its chain and signatures are replayed, and what rests on the entries (rules, identities, standings) is built from them:
every change of reputation that an entry tells of must be the one that its rules give. Whose key it is, only whoever
knows the origin can say.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from functools import cache, partial

import msgspec

from nodes.trust_ledger import chain
from nodes.trust_ledger.chain import Entry, Finding, Head, Opened
from nodes.trust_ledger.derived import Derived, decode, take
from nodes.trust_ledger.identities import Verify
from nodes.trust_ledger.transfer import CLOSING, Closing, Line, Opening, file_statement, opening_of
from protocol.errors import SageError, SealError

Lines = Callable[[], Iterator[bytes]]
"""The lines of the file, from its beginning, each time it is called."""
_LINE_SHOWN = 80


class Proved(msgspec.Struct, frozen=True, kw_only=True):
    origin: str
    """LCT id of the host that wrote it."""
    entries: int
    findings: list[Finding]
    head: Head
    rebuilt: dict[str, int]
    """Table → rows that the entries gave."""


def prove(lines: Lines, verify: Verify, noted: Head | None = None) -> Proved:
    """What is wrong with a file. `noted`: a head of this ledger that somebody kept.

    Raises `TransferRefused` where the file is no exported ledger, or its head is not signed by its origin.
    """
    reading = _Reading(lines, verify)
    head = reading.opening.head
    if chain.intact(reading.entries(), head, reading.check) and not reading.findings:
        findings = reading.unclosed() or reading.inconsistent
    else:
        reading = _Reading(lines, verify)
        findings = reading.inspected()
    if noted is not None and (lost := chain.not_held(noted, reading.link_of, reading.last)):
        findings.append(lost)
    derived = reading.derived
    rebuilt = {name: len(getattr(derived, name)) for name in ("rules", "identities", "standings")}
    return Proved(
        origin=reading.opening.origin.id,
        entries=reading.last,
        findings=findings,
        head=head,
        rebuilt=rebuilt,
    )


class _Reading:
    """One pass through a file."""

    def __init__(self, lines: Lines, verify: Verify) -> None:
        self._lines = lines
        self._rest = lines()
        first = next(self._rest, b"")
        self.opening: Opening = opening_of(first, verify)
        self.check: chain.Check = partial(verify, self.opening.origin.binding)
        self.derived = Derived(self.opening.origin, verify)
        self.findings: list[Finding] = []
        """Lines that are no entries."""
        self.inconsistent: list[Finding] = []
        """Entries that tell what cannot be."""
        self.last = 0
        """Number of the last entry."""
        self._links: dict[int, bytes] = {}
        self._digests: dict[int, bytes] = {}
        self._digest, self._count = hashlib.sha256(first), 1
        self._closing = b""

    def entries(self) -> Iterator[Opened]:
        """The entries, each with the SHA-256 of what it says; `derived` grows with them."""
        for raw in self._rest:
            if raw.startswith(CLOSING):
                self._closing = raw
                break
            self._digest.update(raw)
            self._count += 1
            line = self._read(raw)
            if line is None:
                continue
            entry = line.entry
            self.last = entry.number
            self._links[entry.number] = chain.link(entry.digest, entry.signature)
            self._digests[entry.number] = entry.digest
            self._take(entry, line.plain)
            yield entry, chain.content(line.plain)

    def inspected(self) -> list[Finding]:
        """Everything that is wrong with the chain, by name; where that is nothing, with the file."""
        opening = self.opening

        @cache
        def links() -> frozenset[bytes]:
            other = _Reading(self._lines, self.derived.verify)
            return frozenset(chain.link(entry.digest, entry.signature) for entry, _ in other.entries())

        found = list(chain.inspect(self.entries(), opening.head, opening.origin.id, self.check, links))
        return [*self.findings, *found] or self.unclosed()

    def link_of(self, number: int) -> bytes | None:
        return self._links.get(number)

    def unclosed(self) -> list[Finding]:
        """What is wrong with the closing line, which stands for every byte before it."""
        if not self._closing:
            return [_file("dropped", "it ends without its closing line: a part of the file is missing")]
        try:
            closing = msgspec.json.decode(self._closing, type=Closing)
            self.check(file_statement(closing.digest), closing.signature)
        except (msgspec.DecodeError, SealError):
            return [_file("forged", "its closing line is not signed by its origin")]
        if (closing.lines, closing.digest) != (self._count, self._digest.digest()):
            return [_file("edited", "it is not what its closing line was signed for")]
        if next(self._rest, b""):
            return [_file("forged", "something follows its closing line")]
        return []

    def _read(self, raw: bytes) -> Line | None:
        try:
            return msgspec.json.decode(raw, type=Line)
        except msgspec.DecodeError as error:
            shown = raw[:_LINE_SHOWN].decode(errors="replace").strip()
            self.findings.append(_file("edited", f"line {self._count} is no entry ({error}): {shown}"))
            return None

    def _take(self, entry: Entry, plain: bytes) -> None:
        try:
            said = decode(entry.kind, plain)
            take(self.derived, said, entry.number, entry.wall_ns, self._digests.get)
        except SageError as error:
            message = f"entry {entry.number} ({entry.key}) {error.message}"
            self.inconsistent.append(Finding(number=entry.number, kind="derived", message=message))


def _file(kind: str, message: str) -> Finding:
    return Finding(number=0, kind=kind, message=message)
