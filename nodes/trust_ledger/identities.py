"""Who is known here: hosts, nodes, users, model versions and adapters, each by an LCT. Pure; keys come as functions.

Hosts and users have a key, and sign for themselves. Nodes, model versions and adapters have none: the host binds them,
which means that their LCT carries the host's key as its binding, names the host under `bound_by` in its policy, and is
attested by the host. Whoever trusts the host's signature trusts its word on what it runs, and two hosts that run the
same model have two LCTs for it. An adapter's lineage is the model version it was learned from.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import msgspec

from protocol.errors import SageError, SealError
from protocol.lct import Attestation, Lct, Subject, binds, lct_id, record_statement, statement_bytes

HOST, NODE, USER, MODEL, ADAPTER = "host", "node", "user", "model", "adapter"
BOUND = (NODE, MODEL, ADAPTER)
"""Kinds that have no key of their own."""
WITNESSES = (HOST, NODE, USER)
"""Kinds that may sign what they saw; a node signs by its host's key."""
BOUND_BY = "bound_by"
ENTRY = "entry:"
FORM = "is not of the form entry:<number>:<digest>"
MOST_ENTRIES = 1 << 63
"""SQLite counts no further."""

Verify = Callable[[bytes, bytes, bytes], None]
"""(public key, message, signature): raises `SealError` unless the signature holds."""


class IdentityRefused(SageError):
    """A record or a statement that does not prove itself."""

    code = "trust.identity"


class Signer(Protocol):
    """An identity that signs: a host's, or a user's."""

    lct: Lct

    def sign(self, message: bytes) -> bytes: ...


def bound(host: Signer, kind: str, name: str, wall_ns: int, lineage: list[str] | None = None) -> Lct:
    """The LCT of something that `host` binds."""
    lct = Lct(
        id=bound_id(host.lct, kind, name),
        subject=Subject(kind=kind, name=name),
        binding=host.lct.binding,
        created_ns=wall_ns,
        policy={BOUND_BY: host.lct.id},
        lineage=lineage or [],
    )
    return attested(lct, host, wall_ns)


def bound_id(host: Lct, kind: str, name: str) -> str:
    return lct_id(kind, name, host.binding)


def attested(lct: Lct, by: Signer, wall_ns: int) -> Lct:
    """`lct` with the statement of `by` that this is the record."""
    statement = attestation(by, lct.id, record_statement(lct), wall_ns)
    return msgspec.structs.replace(lct, attestations=[*lct.attestations, statement])


def attestation(by: Signer, subject: str, statement: str, wall_ns: int) -> Attestation:
    signature = by.sign(statement_bytes(subject, statement, wall_ns))
    return Attestation(by=by.lct.id, statement=statement, wall_ns=wall_ns, signature=signature)


def check_record(lct: Lct, host: Lct, verify: Verify) -> None:
    """Raises `IdentityRefused` unless the whole record is attested by the key it is bound to, and names it rightly."""
    kind, name = lct.subject.kind, lct.subject.name
    if kind not in (*BOUND, HOST, USER):
        raise _refused(lct.id, f"there are no identities of the kind {kind!r}")
    if not binds(lct.id, lct.binding) or lct.id != lct_id(kind, name, lct.binding):
        raise _refused(lct.id, "its id is not made of its kind, its name and its key")
    if kind in BOUND and (lct.binding != host.binding or lct.policy.get(BOUND_BY) != host.id):
        raise _refused(lct.id, f"a {kind} is bound by this host, and this one is not")
    signer = host.id if kind in BOUND else lct.id
    statement = record_statement(lct)
    own = [one for one in lct.attestations if one.by == signer and one.statement == statement]
    if not own:
        raise _refused(lct.id, f"its record is not attested by {signer}")
    for one in own:
        check_statement(lct.id, one, lct.binding, verify)


def check_statement(subject: str, stated: Attestation, binding: bytes, verify: Verify) -> None:
    """Raises `IdentityRefused` unless the owner of `binding` signed the statement."""
    try:
        verify(binding, statement_bytes(subject, stated.statement, stated.wall_ns), stated.signature)
    except SealError as error:
        raise _refused(stated.by, f"did not sign {stated.statement!r} of {subject}") from error


def check_witness(
    subject: str,
    stated: Attestation,
    known: Mapping[str, Lct],
    entry_digest: Callable[[int], bytes | None],
    verify: Verify,
) -> None:
    """Raises `IdentityRefused` unless somebody who may witness signed something of what there is."""
    witness = known.get(stated.by)
    if witness is None:
        raise _refused(stated.by, "is not known here", "`sage trust user NAME` makes a user known")
    if witness.subject.kind not in WITNESSES:
        raise _refused(stated.by, f"a {witness.subject.kind} does not witness")
    if witness.revoked_ns is not None:
        raise _refused(stated.by, "is revoked")
    if subject == stated.by:
        raise _refused(subject, "nobody is their own witness")
    if subject.startswith(ENTRY):
        _check_entry(subject, entry_digest)
    elif subject not in known:
        raise _refused(subject, "is neither an entry nor known here")
    check_statement(subject, stated, witness.binding, verify)


def parse_entry(subject: str) -> tuple[int, bytes]:
    """Number and digest of `entry:<number>:<digest>`. Raises `IdentityRefused`."""
    try:
        number, digest = subject.removeprefix(ENTRY).split(":")
        parsed = int(number), bytes.fromhex(digest)
    except ValueError as error:
        raise _refused(subject, FORM) from error
    if not 0 < parsed[0] < MOST_ENTRIES:
        raise _refused(subject, FORM)
    return parsed


def _check_entry(subject: str, entry_digest: Callable[[int], bytes | None]) -> None:
    number, digest = parse_entry(subject)
    found = entry_digest(number)
    if found is None:
        raise _refused(subject, f"there is no entry {number}")
    if found != digest:
        raise _refused(subject, f"entry {number} is another one: its digest is {found.hex()}")


def with_attestation(lct: Lct, stated: Attestation) -> Lct:
    return msgspec.structs.replace(lct, attestations=[*lct.attestations, stated])


def host_record(host: Signer, wall_ns: int) -> Lct:
    """The host's own LCT with its record attested by itself."""
    return attested(host.lct, host, wall_ns)


def _refused(place: str, message: str, remedy: str = "", **other: Any) -> IdentityRefused:
    return IdentityRefused(message, place=place, remedy=remedy, **other)
