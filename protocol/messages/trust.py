"""What was learned about whom, and from what."""

from __future__ import annotations

import msgspec


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """How a level did on one exchange. Idempotent by (`exchange`, `level`)."""

    exchange: str
    session: str
    level: str
    model: str
    version: str
    context: str
    score: float
    """0..1: how right the answer was."""
    source: str
    """Who says so: a verifier's name, `cascade`, `user`, `confidence`."""
    confidence: float = 0.0
    tokens_in: int = 0
    tokens_out: int = 0
    seconds: float = 0.0
    cpu_s: float = 0.0
    atp: float = 0.0
    cluster: int = -1
    trace: bytes = b""


class TrustRecorded(msgspec.Struct, frozen=True, kw_only=True):
    exchange: str
    level: str
    entry: int
    """Number of the ledger's entry."""
    repeated: bool = False


class TrustRow(msgspec.Struct, frozen=True, kw_only=True):
    level: str
    version: str
    context: str
    mean: float
    low: float
    high: float
    """Central 90% credible interval of the rate of success."""
    evidence: float
    """Discounted number of outcomes."""
    alpha: float = 0.0
    beta: float = 0.0
    atp: float = 0.0
    """Mean cost of an exchange; 0 where none was measured."""


class TrustTable(msgspec.Struct, frozen=True, kw_only=True):
    entries: int
    """Entries of the ledger the table rests on."""
    rows: list[TrustRow]


class TableRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Ask for the table."""


class VerifyRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Ask the ledger to check its chain and signatures."""


class Verified(msgspec.Struct, frozen=True, kw_only=True):
    ok: bool
    entries: int
    problems: list[str] = []
