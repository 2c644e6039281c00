"""Linked context tokens: records of who somebody is, in the form of Web4."""

from __future__ import annotations

import msgspec


class Subject(msgspec.Struct, frozen=True, kw_only=True):
    kind: str
    """`host`, `node`, `user`, `model` or `adapter`."""
    name: str


class Attestation(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody's signed statement about the subject."""

    by: str
    """LCT id of whoever signs."""
    statement: str
    wall_ns: int
    signature: bytes
    """Ed25519 over the canonical encoding of (subject id, statement, wall_ns)."""


class Lct(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    subject: Subject
    binding: bytes
    """Raw Ed25519 public key, 32 bytes."""
    created_ns: int
    policy: dict[str, str] = {}
    lineage: list[str] = []
    """LCT ids it came from."""
    attestations: list[Attestation] = []
    revoked_ns: int | None = None


def lct_id(kind: str, name: str, binding: bytes) -> str:
    """`lct:<kind>:<name>:<first 16 hexadecimal digits of the key's SHA-256>`."""
    return f"lct:{kind}:{name}:{_digits(binding)}"


def binds(ident: str, binding: bytes) -> bool:
    """Whether an LCT id is one of this key."""
    return ident.startswith("lct:") and ident.rpartition(":")[2] == _digits(binding)


def record_statement(lct: Lct) -> str:
    """What an attestation to the whole record says: who the subject is, by which key and policy, and where from."""
    import hashlib

    said = (lct.id, lct.subject.kind, lct.subject.name, lct.binding, lct.created_ns, sorted(lct.policy.items()))
    return f"record {hashlib.sha256(msgspec.msgpack.encode((*said, lct.lineage))).hexdigest()}"


def entry_subject(number: int, digest: bytes) -> str:
    """How an attestation names an entry of a ledger."""
    return f"entry:{number}:{digest.hex()}"


def _digits(binding: bytes) -> str:
    import hashlib

    return hashlib.sha256(binding).hexdigest()[:16]


def statement_bytes(subject_id: str, statement: str, wall_ns: int) -> bytes:
    """What an attestation signs."""
    return msgspec.msgpack.encode([subject_id, statement, wall_ns])
