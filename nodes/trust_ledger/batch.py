"""What is told together is written down together: entries, what rests on them, and the signed end of the chain.

An entry that needs others before it gets them: an action those of whoever acts and whoever tells, and of the rules.
"""

from __future__ import annotations

import os
import sqlite3
from typing import Any, Protocol

import msgspec

from nodes.trust_ledger import chain, rows
from nodes.trust_ledger.chain import GENESIS, Entry, Head
from nodes.trust_ledger.derived import (
    BEFORE_RULES,
    IDENTITY,
    IMPORT,
    R6,
    R7,
    REVOCATION,
    RULES,
    WITNESS,
    Derived,
    act,
    decode,
    outcome_of,
    rules_of,
    subject_of,
    take,
)
from nodes.trust_ledger.identities import (
    ADAPTER,
    MODEL,
    NODE,
    bound,
    bound_id,
    host_record,
)
from nodes.trust_ledger.rows import Seal
from protocol.errors import BadRequest, SageError, SealError
from protocol.lct import Lct
from protocol.messages.action import Imported, Revoked, Witnessed
from protocol.messages.trust import Introduce, Judge, Outcome, Revoke, Witness

NONCE_BYTES = 16
OWN = ":"
"""What a key begins with that no exchange may have: everything but actions."""


class Hand(Protocol):
    """The host's hand: a host identity, as far as the ledger needs one."""

    lct: Lct

    def sign(self, message: bytes) -> bytes: ...
    def verify(self, message: bytes, signature: bytes) -> None: ...


class Adopt(msgspec.Struct, frozen=True):
    """From here on the configuration `text`, JSON, applies."""

    text: str


class Learned(msgspec.Struct, frozen=True):
    """An adapter is in force, learned from a version of a model."""

    digest: str
    base_version: str


Item = Outcome | Judge | Introduce | Witness | Revoke | Adopt | Learned | Imported


class Telling(msgspec.Struct, frozen=True):
    """Something to be written down, and the node that tells of it; empty: this one."""

    what: Item
    by: str = ""


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    number: int
    wall_ns: int
    """When it was written down."""
    repeated: bool = False
    differs: bool = False
    """It was told before, and differently; the first telling stands."""
    refused: SageError | None = None
    """Why it is not written down."""
    outcome: Outcome | None = None
    """Of an action: what counts from now on, if it was new."""


class Batch:
    """One transaction on `base`. `derived` is a branch, to be kept once the transaction is."""

    def __init__(self, base: sqlite3.Connection, derived: Derived, hand: Hand, sealer: Seal, wall_ns: int) -> None:
        self._base = base
        self._derived = derived
        self._hand = hand
        self._sealer = sealer
        self._wall_ns = wall_ns
        self._first, self._last = end(base)
        self._number = self._first

    def tell(self, telling: Telling) -> Receipt:
        """Write down what is new, and say which entry it has. What does not prove itself is refused, by itself."""
        try:
            return self._tell(telling)
        except SageError as error:
            return Receipt(number=0, wall_ns=self._wall_ns, refused=error)

    def finish(self) -> Head | None:
        """Write what rests on the entries, and sign the end; None where nothing was new."""
        if self._number == self._first:
            return None
        identities, standings = self._derived.changed()
        rows.keep_identities(self._base, identities)
        rows.keep_standings(self._base, standings, self._sealer)
        signature = self._hand.sign(chain.head_statement(self._number, self._last))
        self._base.execute("INSERT OR REPLACE INTO head VALUES (1, ?, ?, ?)", (self._number, self._last, signature))
        return Head(self._number, self._last, signature)

    def _tell(self, telling: Telling) -> Receipt:
        match telling.what:
            case Outcome() as outcome:
                return self._outcome(outcome, telling.by)
            case Judge() as judge:
                return self._outcome(self._judged(judge), telling.by)
            case Introduce(lct=lct):
                return self._identity(lct)
            case Witness(subject=subject, attestation=stated):
                key = f"{OWN}witness/{subject}/{stated.by}"
                return self._say(key, WITNESS, Witnessed(subject=subject, attestation=stated))
            case Revoke(subject=subject, reason=reason):
                return self._say(f"{OWN}revocation/{subject}", REVOCATION, Revoked(subject=subject, reason=reason))
            case Adopt(text=text):
                return self._adopt(text)
            case Learned(digest=digest, base_version=version):
                return self._adapter(digest, version)
            case Imported() as imported:
                return self._imported(imported)

    # What is said

    def _outcome(self, outcome: Outcome, teller: str) -> Receipt:
        repeated = self._repeated(key(outcome), outcome)
        if repeated is not None:
            return repeated
        by = self._ground(teller)
        self._subject(outcome)
        said = act(
            self._derived,
            outcome,
            by=by,
            nonce=os.urandom(NONCE_BYTES),
            entry=self._number + 1,
            wall_ns=self._wall_ns,
        )
        self._write(key(outcome), R7 if said.reputation else R6, said)
        return Receipt(number=self._number, wall_ns=self._wall_ns, outcome=outcome)

    def _judged(self, judge: Judge) -> Outcome:
        """The outcome of an answer that is written down, judged anew. What it cost counted at its first telling."""
        return msgspec.structs.replace(
            self._answer(judge),
            score=judge.score,
            source=judge.source,
            breach=judge.breach,
            judgement=f"{judge.source}:{judge.judgement}" if judge.judgement else judge.source,
            tokens_in=0,
            tokens_out=0,
            seconds=0.0,
            cpu_s=0.0,
            joules=0.0,
            atp=0.0,
            stake=0.0,
        )

    def _answer(self, judge: Judge) -> Outcome:
        begin = f"{judge.exchange}/{judge.level}"
        query = "SELECT number FROM entries WHERE key >= ? AND key < ? AND kind IN ('r6', 'r7', 'outcome')"
        found = self._base.execute(f"{query} ORDER BY number DESC", (begin, f"{begin}\U0010ffff"))
        for (number,) in found.fetchall():
            written = rows.entry(self._base, number)
            outcome = self._read(written) if written else None
            if outcome is not None and not outcome.judgement and judge.level in ("", outcome.level):
                return outcome
        raise BadRequest(
            f"no answer of {judge.level or 'any level'} in exchange {judge.exchange!r} is written down",
            place="trust/judge: exchange",
            remedy="`sage trust explain EXCHANGE` shows what there is",
        )

    def _adopt(self, text: str) -> Receipt:
        said = rules_of(text)
        if said.digest == self._derived.current:
            return Receipt(number=0, wall_ns=self._wall_ns, repeated=True)
        self._host()
        return self._say(f"{OWN}rules/{self._number + 1}", RULES, said)

    def _adapter(self, digest: str, base_version: str) -> Receipt:
        self._host()
        lineage = []
        if base_version:
            lineage = [self._bound(MODEL, base_version)]
        ident = bound_id(self._hand.lct, ADAPTER, digest)
        known = self._derived.identities.get(ident)
        if known is not None and set(lineage) <= set(known.lineage):
            return Receipt(number=0, wall_ns=self._wall_ns, repeated=True)
        return self._identity(bound(self._hand, ADAPTER, digest, self._wall_ns, lineage))

    def _imported(self, imported: Imported) -> Receipt:
        self._host()
        return self._say(f"{OWN}import/{imported.origin}/{imported.entries}", IMPORT, imported)

    # Who is named, before they are

    def _ground(self, teller: str) -> str:
        """LCT id of whoever tells; host, rules and teller are known from here on."""
        self._host()
        if not self._derived.current:
            self._adopt(msgspec.json.encode(BEFORE_RULES).decode())
        return self._bound(NODE, teller) if teller else self._hand.lct.id

    def _host(self) -> None:
        if self._hand.lct.id not in self._derived.identities:
            self._identity(host_record(self._hand, self._wall_ns))

    def _subject(self, outcome: Outcome) -> None:
        if subject_of(outcome, self._hand.lct) in self._derived.identities:
            return
        if outcome.adapter:
            self._adapter(outcome.adapter, "")
        else:
            self._bound(MODEL, outcome.version or outcome.model)

    def _bound(self, kind: str, name: str) -> str:
        ident = bound_id(self._hand.lct, kind, name)
        if ident not in self._derived.identities:
            self._identity(bound(self._hand, kind, name, self._wall_ns))
        return ident

    def _identity(self, lct: Lct) -> Receipt:
        known = self._derived.identities.get(lct.id)
        told = f"{OWN}identity/{lct.id}" + (f"/{self._number + 1}" if known and known.lineage != lct.lineage else "")
        return self._say(told, IDENTITY, lct)

    # How it is written

    def _say(self, named: str, kind: str, said: Any) -> Receipt:
        """Something that is no action, unless it was said before."""
        repeated = self._repeated(named, None)
        if repeated is not None:
            return repeated
        take(self._derived, said, self._number + 1, self._wall_ns, lambda number: rows.entry_digest(self._base, number))
        self._write(named, kind, said)
        if kind == RULES:
            rows.keep_rules(self._base, self._number, said)
        return Receipt(number=self._number, wall_ns=self._wall_ns)

    def _write(self, named: str, kind: str, said: Any) -> None:
        plain = msgspec.json.encode(said)
        unsigned = Entry(
            number=self._number + 1,
            key=named,
            wall_ns=self._wall_ns,
            kind=kind,
            signer=self._hand.lct.id,
            previous=self._last,
            body=self._sealer.seal(plain, context(named)),
            content=chain.content(plain),
        )
        digest = chain.digest(unsigned)
        signature = self._hand.sign(chain.entry_statement(digest))
        rows.insert(self._base, msgspec.structs.replace(unsigned, digest=digest, signature=signature))
        self._number, self._last = unsigned.number, chain.link(digest, signature)

    def _repeated(self, named: str, outcome: Outcome | None) -> Receipt | None:
        row = self._base.execute("SELECT number, wall_ns FROM entries WHERE key = ?", (named,)).fetchone()
        if row is None:
            return None
        number, wall_ns = row
        differs = False
        if outcome is not None:
            written = rows.entry(self._base, number)
            differs = written is None or self._read(written) != outcome
        return Receipt(number=number, wall_ns=wall_ns, repeated=True, differs=differs)

    def _read(self, written: Entry) -> Outcome | None:
        """The outcome that an entry tells of; None where it cannot be read, which `verify` names."""
        try:
            return outcome_of(decode(written.kind, self._sealer.open(written.body, context(written.key))))
        except (SealError, SageError, msgspec.MsgspecError):
            return None


def key(outcome: Outcome) -> str:
    """What an outcome is told once for: a level's part in an exchange, and each later judgement of it."""
    named = f"{outcome.exchange}/{outcome.level}"
    return f"{named}/{outcome.judgement}" if outcome.judgement else named


def context(named: str) -> bytes:
    """What a body is sealed to."""
    return b"trust:" + named.encode()


def end(base: sqlite3.Connection) -> tuple[int, bytes]:
    """Number and link of the last entry."""
    row = base.execute("SELECT number, digest, signature FROM entries ORDER BY number DESC LIMIT 1").fetchone()
    return (row[0], chain.link(row[1], row[2])) if row else (0, GENESIS)
