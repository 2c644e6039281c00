"""A ledger as a file that proves itself: JSON Lines, each entry with its signature and, in the open, what it says.

    {"form": "sage/trust/ledger/1", "origin": LCT, "exported_ns": …, "head": {number, link, signature}}
    {"number": 1, "key": …, "previous": …, "digest": …, "signature": …, "content": …, "body": …, "said": "…"}
    …
    {"lines": …, "digest": …, "signature": …}       of every byte before

Bytes are in base64.

Whoever has the file can prove every entry by the origin's public key alone: SHA-256 of `said` is its `content`, which
its digest covers, which the chain and the signed head cover. Entries of the first format prove their sealed `body`; for
what they say in the open, `first`, the signature of the whole file stands. The file holds in the open what the ledger
keeps sealed (names of conversations, no words of them), so it belongs to its owner alone.

Taken in by the host that wrote it, into an empty ledger, it is that ledger again. Taken in by another host, its entries
are kept beside that host's own, under the origin's signatures. They are proved by `verify` as long as they are kept,
and never counted: what a foreign host's judges said moves no tensor and no belief here.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterable, Iterator
from functools import partial

import msgspec

from nodes.trust_ledger import chain, rows
from nodes.trust_ledger.batch import Hand, context
from nodes.trust_ledger.chain import GENESIS, Entry, Finding, Head
from nodes.trust_ledger.identities import HOST, Verify
from nodes.trust_ledger.rows import Seal
from nodes.trust_ledger.tables import COLUMNS
from protocol.errors import SageError, SealError
from protocol.lct import Lct, lct_id
from protocol.messages.action import Imported

FORM = "sage/trust/ledger/1"
CLOSING = b'{"lines"'
"""What the last line begins with."""


class TransferRefused(SageError):
    """A file that does not prove itself, or that cannot be taken in here."""

    code = "trust.transfer"


class Opening(msgspec.Struct, frozen=True, kw_only=True):
    form: str
    origin: Lct
    exported_ns: int
    head: Head


class Line(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An entry, field by field, and what it says."""

    number: int
    key: str
    wall_ns: int
    kind: str
    signer: str
    previous: bytes
    body: bytes
    digest: bytes
    signature: bytes
    content: bytes | None = None
    said: str = ""
    first: bytes = b""
    """What an entry of the first format says."""

    @property
    def entry(self) -> Entry:
        return Entry(**{name: getattr(self, name) for name in Entry.__struct_fields__})

    @property
    def plain(self) -> bytes:
        return self.first if self.content is None else self.said.encode()


class Closing(msgspec.Struct, frozen=True, kw_only=True):
    lines: int
    digest: bytes
    signature: bytes


def export(base: sqlite3.Connection, hand: Hand, sealer: Seal, wall_ns: int) -> Iterator[bytes]:
    """The lines of the file. Raises `SealError` at an entry that does not open."""
    digest, lines = hashlib.sha256(), 0
    for line in _lines(base, hand, sealer, wall_ns):
        digest.update(line)
        lines += 1
        yield line
    signature = hand.sign(file_statement(digest.digest()))
    yield _line(Closing(lines=lines, digest=digest.digest(), signature=signature))


def take_in(base: sqlite3.Connection, lines: Iterable[bytes], hand: Hand, sealer: Seal, verify: Verify) -> Imported:
    """Write the entries of a file into the tables, proving each. Raises `TransferRefused`; nothing is kept then.

    To be called within a transaction, which the caller rolls back where this raises.
    """
    rest = iter(lines)
    raw = next(rest, b"")
    opening = opening_of(raw, verify)
    own = opening.origin.id == hand.lct.id
    (_ready_for_own if own else _ready_for_foreign)(base, opening)
    number, last = 0, GENESIS
    for line in _Proof(opening, raw).entries(rest, verify):
        entry = line.entry
        if (entry.number, entry.previous) != (number + 1, last):
            raise _refused(line.number, "does not follow the entry before it")
        number, last = entry.number, chain.link(entry.digest, entry.signature)
        _keep(base, line, opening.origin.id, hand.lct.id, sealer)
    if (number, last) != (opening.head.number, opening.head.link):
        raise TransferRefused(f"it ends at entry {number}, its head was signed for {opening.head.number}")
    _keep_head(base, opening, own=own)
    return Imported(origin=opening.origin.id, entries=number, link=last)


def foreign(base: sqlite3.Connection, sealer: Seal, verify: Verify, taken: dict[str, Imported]) -> Iterator[Finding]:
    """What is wrong with the entries of other hosts that are kept here. `taken`: the last import of each origin."""
    kept = {
        ident: (msgspec.json.decode(record, type=Lct), Head(*head))
        for ident, record, *head in base.execute("SELECT id, record, number, link, signature FROM origins")
    }
    for ident in sorted({*kept, *taken}):
        said = taken.get(ident)
        lct, head = kept.get(ident, (None, None))
        if lct is None or head is None or said is None or (said.entries, said.link) != (head.number, head.link):
            yield _foreign_finding(ident, "they are not those that were taken in")
        elif not chain.intact(_foreign_entries(base, ident, sealer), head, partial(verify, lct.binding)):
            yield _foreign_finding(ident, "they are not as they were taken in")


class _Proof:
    """Reads the entries of a file, and that the file is whole at its end."""

    def __init__(self, opening: Opening, raw: bytes) -> None:
        self._opening = opening
        self._digest = hashlib.sha256(raw)
        self._lines = 1

    def entries(self, lines: Iterator[bytes], verify: Verify) -> Iterator[Line]:
        for raw in lines:
            if raw.startswith(CLOSING):
                self._close(raw, verify)
                return
            self._digest.update(raw)
            self._lines += 1
            yield self._proved(raw)
        raise TransferRefused("it ends without its closing line: a part of the file is missing")

    def _proved(self, raw: bytes) -> Line:
        try:
            line = msgspec.json.decode(raw, type=Line)
        except msgspec.DecodeError as error:
            raise TransferRefused(f"line {self._lines} is no entry: {error}") from error
        if line.signer != self._opening.origin.id:
            raise _refused(line.number, f"names {line.signer} as its signer, not the origin")
        if chain.digest(line.entry) != line.digest:
            raise _refused(line.number, "was edited")
        if line.content is not None and chain.content(line.plain) != line.content:
            raise _refused(line.number, "does not say what it was signed for")
        return line

    def _close(self, raw: bytes, verify: Verify) -> None:
        try:
            closing = msgspec.json.decode(raw, type=Closing)
            verify(self._opening.origin.binding, file_statement(closing.digest), closing.signature)
        except (msgspec.DecodeError, SealError) as error:
            raise TransferRefused("its closing line is not signed by its origin") from error
        if (closing.lines, closing.digest) != (self._lines, self._digest.digest()):
            raise TransferRefused("it is not what its closing line was signed for: a line was changed, added or taken")


def opening_of(raw: bytes, verify: Verify) -> Opening:
    """The first line. Raises `TransferRefused` where its head is not signed by its origin."""
    try:
        opening = msgspec.json.decode(raw, type=Opening)
    except msgspec.DecodeError as error:
        raise TransferRefused(f"is no exported ledger: {error}") from error
    if opening.form != FORM:
        raise TransferRefused(f"is of the form {opening.form!r}, this program knows {FORM!r}")
    origin, head = opening.origin, opening.head
    if origin.id != lct_id(HOST, origin.subject.name, origin.binding):
        raise TransferRefused(f"its origin {origin.id} is no host, or not bound to its key")
    try:
        verify(origin.binding, chain.head_statement(head.number, head.link), head.signature)
    except SealError as error:
        raise TransferRefused(f"its head is not signed by its origin {origin.id}") from error
    return opening


def _lines(base: sqlite3.Connection, hand: Hand, sealer: Seal, wall_ns: int) -> Iterator[bytes]:
    head = rows.head(base) or Head(0, GENESIS, hand.sign(chain.head_statement(0, GENESIS)))
    yield _line(Opening(form=FORM, origin=hand.lct, exported_ns=wall_ns, head=head))
    for entry in rows.entries(base):
        plain = sealer.open(entry.body, context(entry.key))
        told = {"first": plain} if entry.content is None else {"said": plain.decode()}
        yield _line(Line(**msgspec.structs.asdict(entry), **told))


def _ready_for_own(base: sqlite3.Connection, opening: Opening) -> None:
    if base.execute("SELECT 1 FROM entries LIMIT 1").fetchone():
        raise TransferRefused(
            f"is a ledger of this host ({opening.origin.id}), and there are entries here already",
            remedy="move the ledger away first, with the files beside it; nothing is ever mixed",
        )


def _ready_for_foreign(base: sqlite3.Connection, opening: Opening) -> None:
    """An origin's entries may be taken in again, where those that are kept are a part of them."""
    origin = opening.origin
    kept = base.execute("SELECT number FROM origins WHERE id = ?", (origin.id,)).fetchone()
    if kept and kept[0] > opening.head.number:
        raise TransferRefused(
            f"has {opening.head.number} entries of {origin.id}, of which {kept[0]} are kept here already",
            remedy="export it anew at its origin",
        )


def _keep(base: sqlite3.Connection, line: Line, origin: str, host: str, sealer: Seal) -> None:
    entry = line.entry
    if origin == host:
        try:
            same = sealer.open(entry.body, context(entry.key)) == line.plain
        except SealError as error:
            raise _refused(line.number, "does not open here: host.key is not the one it was sealed under") from error
        if not same:
            raise _refused(line.number, "does not say in the open what it says sealed")
        rows.insert(base, entry)
        return
    known = base.execute(
        "SELECT digest FROM foreign_entries WHERE origin = ? AND number = ?", (origin, line.number)
    ).fetchone()
    if known:
        if known[0] != line.digest:
            raise _refused(line.number, f"is another one than that of {origin} which is kept here")
        return
    said = sealer.seal(line.plain, _foreign_context(origin, line.number))
    base.execute(
        f"INSERT INTO foreign_entries (origin, {COLUMNS}, said) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",  # noqa: S608
        (origin, *msgspec.structs.astuple(entry), said),
    )


def _keep_head(base: sqlite3.Connection, opening: Opening, *, own: bool) -> None:
    head = opening.head
    if own:
        base.execute("INSERT OR REPLACE INTO head VALUES (1, ?, ?, ?)", (head.number, head.link, head.signature))
        return
    record = msgspec.json.encode(opening.origin)
    values = (opening.origin.id, record, head.number, head.link, head.signature)
    base.execute("INSERT OR REPLACE INTO origins VALUES (?, ?, ?, ?, ?)", values)


def _foreign_entries(base: sqlite3.Connection, origin: str, sealer: Seal) -> Iterator[tuple[Entry, bytes | None]]:
    query = f"SELECT {COLUMNS}, said FROM foreign_entries WHERE origin = ? ORDER BY number"  # noqa: S608
    for *columns, said in base.execute(query, (origin,)):
        entry = Entry(*columns)
        try:
            yield entry, chain.content(sealer.open(said, _foreign_context(origin, entry.number)))
        except SealError:
            yield entry, None


def _foreign_context(origin: str, number: int) -> bytes:
    return f"trust/foreign:{origin}:{number}".encode()


def _foreign_finding(origin: str, message: str) -> Finding:
    return Finding(number=0, kind="edited", message=f"entries of {origin}: {message}")


def file_statement(digest: bytes) -> bytes:
    """What is signed for a file: `digest` is that of every line but the closing one."""
    return b"sage/trust/export\n" + digest


def _line(value: msgspec.Struct) -> bytes:
    return msgspec.json.encode(value) + b"\n"


def _refused(number: int, message: str) -> TransferRefused:
    return TransferRefused(f"entry {number} {message}")
