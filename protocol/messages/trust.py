"""What was learned about whom, and from what."""

from __future__ import annotations

import msgspec

from protocol.lct import Attestation, Lct
from protocol.messages.action import T3, V3, Action


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
    words: int = 0
    """Of the question; 0 where it is not known."""
    depth: int = 0
    """Turns of the conversation before it."""
    count: int = 1
    """Questions that `score` is the mean of: more than one where a validation is told as a whole."""
    adapter: str = ""
    """Digest of the learned weights that answered; empty: none, or not known."""
    stake: float = 0.0
    """ATP that was put up for it; 0 where nothing was."""
    joules: float = 0.0
    """0 where nothing measured them."""
    delivered: bool = True
    """Whether there was an answer, and it was whole."""
    breach: str = ""
    """Which rule was broken."""
    judgement: str = ""
    """Which later judgement of the same answer this is; empty: the first. Idempotent by all three."""
    override: str = ""
    """What overruled the choice by trust and price, so that this level answered: `crisis`, `user`, `critical`,
    `found_wrong`, `unproved`, `novel`, `alarm`; empty: nothing, or nobody said."""
    chosen: str = ""
    """Why this level answered, in words; empty where nobody said."""


class TrustRecorded(msgspec.Struct, frozen=True, kw_only=True):
    exchange: str
    level: str
    entry: int
    """Number of the ledger's entry."""
    repeated: bool = False
    version: str = ""
    """Which answered; empty where the entry is of a judgement that tells of no answer."""
    adapter: str = ""
    """Digest of the learned weights that answered; empty: none, or not known."""
    score: float = 0.0
    source: str = ""
    """Who says so."""


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
    alarm: str = ""
    """Why the version is not to be relied on now; empty where it is."""


class TrustModel(msgspec.Struct, frozen=True, kw_only=True):
    """What a version is believed to do at a single question: log-odds of success as a sum of weights."""

    level: str
    version: str
    weights: dict[str, tuple[float, float]]
    """Feature (`nodes.trust_ledger.features`) → mean and variance; one that is not named is as the prior has it."""
    alarm: str = ""
    adapter: str = ""
    """Digest of the learned weights that it is; empty: the model's own."""


class TrustTable(msgspec.Struct, frozen=True, kw_only=True):
    entries: int
    """Entries of the ledger the table rests on."""
    rows: list[TrustRow]
    models: list[TrustModel] = []
    """One for each version in `rows`."""


class TableRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Ask for the table."""


class VerifyRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Ask the ledger to check its chain and signatures, and to build anew what rests on them."""

    head: str = ""
    """A head that somebody noted down, `<number>:<link>`: the chain must still hold it."""


class Verified(msgspec.Struct, frozen=True, kw_only=True):
    ok: bool
    entries: int
    problems: list[str] = []
    head: str = ""
    """Where the chain ends, as somebody may note it down: `<number>:<link>`."""
    rebuilt: dict[str, int] = {}
    """Derived table → rows that were built anew from the entries and compared."""


class Judge(msgspec.Struct, frozen=True, kw_only=True):
    """Say later how right an answer was that is written down. Idempotent by all but `score` and `breach`."""

    exchange: str
    score: float
    source: str
    """Who says so."""
    level: str = ""
    """Whose answer; empty: the last level's that answered in this exchange."""
    breach: str = ""
    """Which rule it broke."""
    judgement: str = ""
    """Tells this judgement from others of the same source; empty: there is one by each source."""


class TensorsRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Ask for T3 and V3 of one subject, by a part of its id, or of all."""

    subject: str = ""
    changes: int = 3
    """How many of the last changes to tell with each."""


class Change(msgspec.Struct, frozen=True, kw_only=True):
    entry: int
    wall_ns: int
    outcome: str
    reason: str


class TensorRow(msgspec.Struct, frozen=True, kw_only=True):
    """What is held of a subject in one role and context. There is no value that holds everywhere."""

    subject: str
    role: str
    context: str
    t3: T3
    v3: V3
    actions: int
    """R7 actions it rests on."""
    changes: list[Change] = []
    """The last ones, newest first."""


class Tensors(msgspec.Struct, frozen=True, kw_only=True):
    rows: list[TensorRow]
    left_out: int = 0
    """Rows beyond what one answer holds; ask for one subject."""


class ExplainEntry(msgspec.Struct, frozen=True, kw_only=True):
    """Ask what an entry says."""

    entry: str
    """Its number or its key; an exchange's name gives its last entry."""


class EntryExplained(msgspec.Struct, frozen=True, kw_only=True):
    entry: int
    key: str
    kind: str
    wall_ns: int
    signer: str
    digest: bytes
    words: list[str]
    """The entry in words, line by line."""
    action: Action | None = None
    witnesses: list[Attestation] = []


class IdentitiesRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Ask who is known here, by a part of the id; empty: everybody."""

    subject: str = ""


class Identities(msgspec.Struct, frozen=True, kw_only=True):
    identities: list[Lct]
    left_out: int = 0
    """Those beyond what one answer holds."""


class Introduce(msgspec.Struct, frozen=True, kw_only=True):
    """Make a user or another host known here, by its own signature."""

    lct: Lct


class Witness(msgspec.Struct, frozen=True, kw_only=True):
    """Sign that one saw an entry, or vouch for an identity."""

    subject: str
    """`entry:<number>:<digest>`, or an LCT id."""
    attestation: Attestation


class Revoke(msgspec.Struct, frozen=True, kw_only=True):
    """Have the host no longer stand for an identity."""

    subject: str
    reason: str = ""


class Written(msgspec.Struct, frozen=True, kw_only=True):
    """It is in the ledger."""

    entry: int
    repeated: bool = False


class Replay(msgspec.Struct, frozen=True, kw_only=True):
    """Have questions of the day go through all levels, and the price of energy tuned by what comes of it."""

    count: int = 200
    """At most so many questions."""
    take_back: bool = False
    """Replay nothing; put what was found before the last time in force again."""


class Replayed(msgspec.Struct, frozen=True, kw_only=True):
    """How far a replay is, and in the end what it found."""

    done: int
    total: int
    failed: int = 0
    """Questions that a level gave no answer to."""
    price: float | None = None
    """What an answer of the dearest level is worth, in probability of a right one; None: the largest answers all."""
    questions: int = 0
    """Replayed ones it rests on, earlier replays counted in."""
    saving: float = 0.0
    """Share of the ATP of always-largest."""
    bound: float = 0.0
    """One-sided upper bound of the share of right answers lost against it."""
    why: str = ""
    calibration_error: dict[str, float] = {}
    """Version of a level → expected calibration error on answers that were not fitted on."""
    in_force: bool = True
    """False: it rests on too little, and what held before still holds."""
