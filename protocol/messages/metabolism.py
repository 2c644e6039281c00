"""How awake the whole is, and what it may spend."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

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
    """Purpose (`exchange`, `dream`, `load`, `embedding`, `base`) → ATP since the account was opened."""
    opening: float = 100.0
    source: str = "cpu"
    """What was measured last: `nvml`, `ina`, `rapl`, or `cpu` (processor seconds)."""
    atp_per_cpu_s: float = 0.0
    atp_per_joule: float = 0.0
    reserved: float = 0.0
    """Of what is left, the part that is held for what is under way."""
    reserved_for_dreams: float = 0.0
    """Of that, what is held for dreams: whoever waits for an answer goes first, and may have it."""
    from_reserve: float = 0.0
    """Of the income, the part that was spent beyond the overdraft."""


class RequestState(msgspec.Struct, frozen=True, kw_only=True):
    """An operator's wish. Answered with the state that holds then, which may be another, with the reason."""

    state: Metabolic
    who: str = "operator"
    reason: str = ""


class ExplainState(msgspec.Struct, frozen=True, kw_only=True):
    """Ask what the state rests on, and what would end it."""


class Way(msgspec.Struct, frozen=True, kw_only=True):
    """The fewest changes after which a state follows."""

    state: Metabolic
    needs: list[str]


class StateExplained(msgspec.Struct, frozen=True, kw_only=True):
    said: MetabolicState
    inputs: dict[str, Any]
    """What the machine decides by, by name."""
    dwell_left_s: float
    """For so long nothing but force ends the state."""
    ways: list[Way]


class ListTransitions(msgspec.Struct, frozen=True, kw_only=True):
    """Ask for the last transitions."""

    limit: int = 100
    since_ns: int = 0
    """Wall time; only those after it."""


class Transitions(msgspec.Struct, frozen=True, kw_only=True):
    transitions: list[MetabolicState]
    """Oldest first."""


class Rouse(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody needs the whole awake. Answered once it is."""

    reason: str
    salience: float = 0.0


class Settle(msgspec.Struct, frozen=True, kw_only=True):
    """What something cost. Idempotent by `ident`."""

    ident: str
    """The exchange, dream or load it was spent on."""
    kind: str = "exchange"
    """`exchange`, `dream`, `load` or `embedding`."""
    cpu_s: float = 0.0
    joules: float = 0.0
    salience: float = 0.0
    source: str = ""
    """What measured the joules; empty where nothing did."""
    out_of: str = ""
    """What energy is held for that this is a part of, such as a stretch of a dream; the rest of it stays held."""


class Settled(msgspec.Struct, frozen=True, kw_only=True):
    ident: str
    atp: float
    """What was charged for it."""
    remaining: float
    repeated: bool = False
    """It had been settled before; nothing was charged again."""


class Reserve(msgspec.Struct, frozen=True, kw_only=True):
    """Hold energy for something before it is done. Idempotent: asked again for more, what is lacking is held too."""

    ident: str
    """Under which it is settled afterwards."""
    kind: str = "exchange"
    """`exchange`, `dream`, `load` or `embedding`."""
    atp: float = 0.0
    """What it is expected to cost, all told."""
    ttl_s: float = 120.0
    """Seconds after which it is given back if nobody has settled it, or asked again."""
    least: bool = False
    """Nothing cheaper would do: an exchange that says so is not refused."""


class Reserved(msgspec.Struct, frozen=True, kw_only=True):
    ident: str
    granted: bool
    atp: float
    """Held for it, also where more was refused."""
    remaining: float
    """ATP in the account that is not spent, held or not."""
    available: float = 0.0
    """ATP that would be granted to the like of it now."""
    reason: str = ""
    """Why it was refused, or what is to be said of it."""
    repeated: bool = False
    """It was held, or settled, before."""


class BooksRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Ask for the books. Refused for more than 31 days at once."""

    since_ns: int = 0
    """Wall time; 0: a day before `until_ns`."""
    until_ns: int = 0
    """Wall time; 0: now."""


class Moved(msgspec.Struct, frozen=True, kw_only=True):
    """What moved from one account to another within an hour."""

    hour_ns: int
    """Wall time at which the hour began."""
    source: str
    target: str
    micro: int
    count: int
    """Postings."""


class Held(msgspec.Struct, frozen=True, kw_only=True):
    ident: str
    kind: str
    micro: int
    expires_in_s: float


class Books(msgspec.Struct, frozen=True, kw_only=True):
    """The accounts in whole micro-ATP, as they are written down."""

    balances: dict[str, int]
    """Account → balance. They sum to zero."""
    problem: str = ""
    """Why the books do not balance; empty where they do."""
    held: list[Held] = []
    moved: list[Moved] = []
    """In the time asked for, oldest first."""
    kept_since_ns: int = 0
    """Wall time of the oldest hour that is kept; what moved before is one total that belongs to no hour."""
