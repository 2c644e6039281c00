"""What is kept to learn from, and what came of learning."""

from __future__ import annotations

import msgspec

from protocol.messages.context import Snarc
from protocol.messages.model import ChatMessage


class Keep(msgspec.Struct, frozen=True, kw_only=True):
    """Offer an exchange for later learning. Idempotent by `exchange`."""

    exchange: str
    session: str
    messages: list[ChatMessage]
    """The conversation up to the question."""
    answer: str
    level: str
    version: str
    context: str
    cluster: int = -1
    snarc: Snarc = Snarc()
    score: float | None = None
    verifier: str = ""
    confidence: float = 0.0


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    exchange: str
    kept: bool
    why: str = ""
    examples: int = 0
    """How many the store holds now."""


class Revise(msgspec.Struct, frozen=True, kw_only=True):
    """Tell what was learned of an exchange after it was offered. Idempotent by all of it."""

    exchange: str
    snarc: Snarc | None = None
    """Its salience now; None where nobody scored it anew."""
    score: float | None = None
    """How right the answer was; None where that is not known any better."""
    source: str = ""
    """Who says so."""


class Revised(msgspec.Struct, frozen=True, kw_only=True):
    exchange: str
    revised: bool
    why: str = ""


class DreamBacklog(msgspec.Struct, frozen=True, kw_only=True):
    """How much there is to learn from, said whenever that changes."""

    examples: int
    """Exchanges that a dream would learn from; 0 where none would begin."""
    why: str = ""
    """Why none would begin."""


class StartDream(msgspec.Struct, frozen=True, kw_only=True):
    """Ask for a dream now."""

    reason: str = "asked"


class DreamProgress(msgspec.Struct, frozen=True, kw_only=True):
    dream: str
    stage: str
    """`collect`, `teach`, `train`, `validate`, `promote`."""
    done: int
    total: int
    loss: float | None = None
    rate: float = 0.0
    """Units per second."""
    remaining_s: float | None = None


class SkillResult(msgspec.Struct, frozen=True, kw_only=True):
    """Held-out result of one stratum before and after."""

    name: str
    questions: int
    before: float
    after: float


class DreamCompleted(msgspec.Struct, frozen=True, kw_only=True):
    dream: str
    level: str
    promoted: bool
    why: str
    examples: int = 0
    results: list[SkillResult] = []
    p_value: float | None = None
    """Exact one-sided McNemar on the target stratum."""
    seconds: float = 0.0
    cpu_s: float = 0.0
    interrupted: bool = False


class Adapter(msgspec.Struct, frozen=True, kw_only=True):
    """The learned weights that a level should answer with; an empty digest: none, the base model."""

    level: str
    digest: str = ""
    path: str = ""
    """Folder of a complete model, on the host that says so."""
    base_version: str = ""
    """Version of the model it was learned from: it fits no other."""
    dream: str = ""


class AdapterCurrent(msgspec.Struct, frozen=True, kw_only=True):
    """What every level should answer with now. A level that is not named answers with its base model."""

    adapters: list[Adapter]


class DreamStatusRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Ask what the consolidator holds and does."""


class DreamStatus(msgspec.Struct, frozen=True, kw_only=True):
    examples: int
    dreaming: bool
    last: DreamCompleted | None = None
    adapters: list[Adapter] = []
