"""How awake the whole is, and what it may spend."""

from __future__ import annotations

from enum import StrEnum

import msgspec


class Metabolic(StrEnum):
    WAKE = "WAKE"
    FOCUS = "FOCUS"
    REST = "REST"
    DREAM = "DREAM"
    CRISIS = "CRISIS"


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """What a state means for the others (DESIGN, Metabolism)."""

    answer: str = "cheapest"
    """`cheapest`: the cheapest trusted level; `quality`: trusted, quality first; `largest`; `nobody`: rouse first."""
    keep_models: bool = True
    """False: unload, attention state saved first."""
    learn: bool = True
    dream: bool = False


class MetabolicState(msgspec.Struct, frozen=True, kw_only=True):
    """A transition: numbered, retained, and to be taken up by every node."""

    state: Metabolic
    number: int
    """Counts transitions; never falls, also over a restart of the controller."""
    reason: str
    since_ns: int
    """Wall time of the transition."""
    previous: Metabolic | None = None
    budget: float = 0.0
    """ATP there is to spend, 0–100."""
    policy: Policy = Policy()


class Energy(msgspec.Struct, frozen=True, kw_only=True):
    """The account. Conserved: opening + income − spent = atp."""

    atp: float
    capacity: float
    income: float
    """Recharged since the account was opened."""
    spent: dict[str, float]
    """Purpose (`exchange`, `dream`, `base`) → ATP since the account was opened."""
    opening: float = 100.0
    source: str = "cpu"
    """What was measured: `nvml`, `ina`, or `cpu` (processor seconds)."""
    atp_per_cpu_s: float = 0.0


class RequestState(msgspec.Struct, frozen=True, kw_only=True):
    """An operator's wish. Answered with the state that holds then, which may be another, with the reason."""

    state: Metabolic
    who: str = "operator"
    reason: str = ""


class Rouse(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody needs the whole awake. Answered once it is."""

    reason: str
    salience: float = 0.0


class Settle(msgspec.Struct, frozen=True, kw_only=True):
    """What something cost. Idempotent by `ident`."""

    ident: str
    """The exchange or dream it was spent on."""
    kind: str = "exchange"
    """`exchange` or `dream`."""
    cpu_s: float = 0.0
    joules: float = 0.0
    salience: float = 0.0


class Settled(msgspec.Struct, frozen=True, kw_only=True):
    ident: str
    atp: float
    """What was charged for it."""
    remaining: float
    repeated: bool = False
    """It had been settled before; nothing was charged again."""
