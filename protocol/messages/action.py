"""What an entry of the trust ledger says: actions in the form R6 and R7 of Web4, and what else is written there.

R6 is rules, role, request, reference, resource and result. R7 is the same with the reputation that came of it.
"""

from __future__ import annotations

from typing import Any

import msgspec

from protocol.lct import Attestation

START = 0.5
"""Where every dimension of a tensor stands before anything was shown."""


class T3(msgspec.Struct, frozen=True, omit_defaults=True):
    """What somebody is able to, each 0..1, in one role and context."""

    talent: float = START
    """Right where nobody had shown the way."""
    training: float = START
    """Right where it was learned."""
    temperament: float = START
    """Reliable: notes before this ledger called it `T3_reliability`."""

    @property
    def composite(self) -> float:
        return 0.4 * self.talent + 0.3 * self.training + 0.3 * self.temperament


class V3(msgspec.Struct, frozen=True, omit_defaults=True):
    """What came of it, each 0..1, in one role and context."""

    valuation: float = START
    """What it was expected to cost over what it cost, at most 1, times satisfaction."""
    veracity: float = START
    """Claims that were verified over all that were judged, each times the confidence with which it was made: notes
    before this ledger called it `V3_verification`."""
    validity: float = START
    """Delivered, or not."""

    @property
    def composite(self) -> float:
        return 0.3 * self.valuation + 0.35 * self.veracity + 0.35 * self.validity


class Role(msgspec.Struct, frozen=True, kw_only=True):
    """Who acts as what."""

    subject: str
    """LCT id of the model version or the adapter."""
    name: str
    """The level it acts as."""


class Request(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    what: str
    """`answer`, or `judgement` of an answer that was written down before."""
    by: str
    """LCT id of the node that told of it; the host's where that is no node."""
    nonce: bytes
    """16 bytes of chance: nobody who knows the rest can guess what a digest stands for."""
    stake: float = 0.0
    """ATP that was put up for it; 0 where nothing was."""


class Reference(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The history it rests on."""

    exchange: str
    session: str = ""
    context: str = ""
    cluster: int = -1
    model: str = ""
    version: str = ""
    adapter: str = ""
    """Digest of learned weights; empty: the base model, or nobody said."""
    judgement: str = ""
    """Which later judgement this is; empty: the first."""
    trace: bytes = b""
    override: str = ""
    """What overruled the choice by trust and price: see `Outcome.override`."""
    chosen: str = ""
    """Why this level acted, in words; empty where nobody said."""


class Resource(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What it used."""

    tokens_in: int = 0
    tokens_out: int = 0
    seconds: float = 0.0
    cpu_s: float = 0.0
    joules: float = 0.0
    """0 where nothing measured them."""
    atp: float = 0.0


class Result(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    score: float
    verifier: str
    """Who judged: a verifier's name, `user`, `cascade`; `confidence` where nobody did."""
    confidence: float = 0.0
    """With which the answer was given."""
    delivered: bool = True
    breach: str = ""
    """Which rule was broken."""


class Reputation(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How an action changed what is held of its subject, in this role and context and nowhere else."""

    subject: str
    role: str
    context: str
    outcome: str
    """`novel success`, `success`, `expected failure`, `unexpected failure`, `breach`, or `graded`."""
    t3_from: T3
    t3_to: T3
    v3_from: V3
    v3_to: V3
    reason: str
    factors: dict[str, float] = {}
    """What the change was multiplied with: `judge`, the weight of who judged; `repetition`, gains only."""
    witnesses: list[str] = []
    """LCT ids of who saw it happen. Witnesses that signed later have entries of their own."""


class Action(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """R6, or R7 where there is a reputation."""

    rules: str
    """Digest of the rules that applied."""
    role: Role
    request: Request
    reference: Reference
    resource: Resource
    result: Result
    reputation: Reputation | None = None
    other: dict[str, Any] = {}
    """What else the outcome said."""


class RulesAdopted(msgspec.Struct, frozen=True, kw_only=True):
    """From here on these rules apply."""

    digest: str
    """SHA-256 of `text`, in hexadecimal digits."""
    text: str
    """The configuration as JSON."""


class Witnessed(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody signs that they saw an entry, or vouch for somebody."""

    subject: str
    """`entry:<number>:<digest>`, or an LCT id."""
    attestation: Attestation


class Revoked(msgspec.Struct, frozen=True, kw_only=True):
    """The host no longer stands for this identity."""

    subject: str
    reason: str


class Imported(msgspec.Struct, frozen=True, kw_only=True):
    """Another host's ledger was taken in, and proved itself."""

    origin: str
    """LCT id of the host whose entries they are."""
    entries: int
    link: bytes
    """Link of the last one."""
