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
    ids: list[int] = []
    """Token ids of the answer, by the tokenizer of `version`; empty where they are not known."""


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


class ListExamples(msgspec.Struct, frozen=True, kw_only=True):
    """Ask what is kept to learn from; each example streams back as a part, the oldest first."""

    words: bool = False
    """Also open what was said."""
    exchanges: list[str] = []
    """Only these; empty: all."""


class ExampleRow(msgspec.Struct, frozen=True, kw_only=True):
    """One example, or what stands of it in the clear."""

    exchange: str
    level: str
    context: str
    cluster: int
    salience: float
    received_ns: int
    met: int
    """How many exchanges said this."""
    snarc: Snarc | None = None
    messages: list[ChatMessage] = []
    answer: str = ""
    version: str = ""
    score: float | None = None
    source: str = ""
    """Who says how right the answer is."""
    ids: list[int] = []
    """Of the answer."""
    teacher: str = ""
    """What a teacher answered, where one was asked and that is still kept."""


class ExamplesListed(msgspec.Struct, frozen=True, kw_only=True):
    examples: int


class ForgetExamples(msgspec.Struct, frozen=True, kw_only=True):
    """Have examples removed for which all holds that is said here, and what was made from them removed or marked."""

    exchange: str = ""
    session: str = ""
    matching: str = ""
    """A text that occurs in what was said, in whatever case."""
    before_ns: int = 0
    """Wall time before which it was said."""
    everything: bool = False


class ExamplesForgotten(msgspec.Struct, frozen=True, kw_only=True):
    examples: int
    exchanges: int
    """These examples', those merged into them, and those of which the store had given up the example."""
    dream: str = ""
    """The unfinished dream that was given up because it rested on one of them."""
    derived: list[str] = []
    """What else was made from them, and is removed, or marked to be learned anew."""


class DreamBacklog(msgspec.Struct, frozen=True, kw_only=True):
    """How much there is to learn from, said whenever that changes."""

    examples: int
    """Exchanges that a dream would learn from; 0 where none would begin."""
    why: str = ""
    """Why none would begin."""
    retrain: list[str] = []
    """Levels whose learned weights rest on what was forgotten since: they are due whatever else there is."""


class StartDream(msgspec.Struct, frozen=True, kw_only=True):
    """Ask for a dream now."""

    reason: str = "asked"


class DreamProgress(msgspec.Struct, frozen=True, kw_only=True):
    dream: str
    stage: str
    """`collect`, `teach`, `train`, `practise`, `validate`, `promote`."""
    done: int
    total: int
    loss: float | None = None
    rate: float = 0.0
    """Units per second."""
    remaining_s: float | None = None
    called_cpu_s: float = 0.0
    """Processor seconds that a teacher in another process has spent for this stretch of the dream so far."""


class SkillResult(msgspec.Struct, frozen=True, kw_only=True):
    """Held-out result of one stratum before and after."""

    name: str
    questions: int
    before: float
    after: float
    base: float | None = None
    """Of the level's own model, where learned weights were in force before."""


class DreamCheck(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that new weights had to show."""

    name: str
    required: str
    found: str
    passed: bool


class DreamCompleted(msgspec.Struct, frozen=True, kw_only=True):
    dream: str
    level: str
    promoted: bool
    why: str
    examples: int = 0
    results: list[SkillResult] = []
    p_value: float | None = None
    """Exact one-sided McNemar on the target stratum."""
    alpha: float | None = None
    """What it had to stay below: the share of the level's budget for false promotions that this dream spent."""
    gain: float | None = None
    """Share of right answers on the target, after minus before."""
    gain_low: float | None = None
    gain_high: float | None = None
    """Bounds of the gain, 95%, templates and not questions drawn anew."""
    checks: list[DreamCheck] = []
    """All that was required and what was found; promoted where all of them passed."""
    turn: int = 0
    """Which turn of the judging questions judged it."""
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
    turn: int = 0
    """Which turn of the judging questions it was judged by; what it never learned from judges the next turn too."""


class Challenger(msgspec.Struct, frozen=True, kw_only=True):
    """Learned weights that a validation passed and that are still on trial: they answer part of the conversations."""

    adapter: Adapter
    share: float
    """Of conversations, 0..1: which ones follows from their names, so that each stays with one version."""


class AdapterCurrent(msgspec.Struct, frozen=True, kw_only=True):
    """What every level should answer with now. A level that is not named answers with its base model."""

    adapters: list[Adapter]
    challengers: list[Challenger] = []
    """Beside those, on trial; at most one of a level."""


class AdapterAdopted(msgspec.Struct, frozen=True, kw_only=True):
    """A worker has taken up what it was told to answer with, or says why it did not."""

    level: str
    digest: str = ""
    """Empty: the level's own model."""
    challenger: bool = False
    """It answers beside another version, on trial."""
    refused: str = ""
    """Why it answers nothing; empty where it does."""
    no_room: bool = False
    """There is no memory for it beside the version it would be measured against."""
    waited: str = ""
    """Why requests had to wait while it was loaded; empty where those before went on answering."""


class AdapterDecided(msgspec.Struct, frozen=True, kw_only=True):
    """What became of learned weights."""

    level: str
    digest: str
    state: str
    """`challenger`, `champion`, `retired` or `withdrawn`."""
    why: str
    instead: str = ""
    """Digest of what the level answers with where these do not; empty: the base model."""


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """How a challenger and its champion have done so far, in exchanges that something judged."""

    judged: int = 0
    right: int = 0
    champion_judged: int = 0
    champion_right: int = 0
    harm: float = 1.0
    """Evidence that it is worse: a bet against its being no worse has grown so many times (an e-value)."""
    good: float = 1.0
    """Evidence that it is not worse by the margin, likewise."""
    since_ns: int = 0


class Lineage(msgspec.Struct, frozen=True, kw_only=True):
    """Where learned weights come from, as it was signed, and what became of them."""

    level: str
    digest: str
    dream: str
    state: str
    """`challenger`, `champion`, `retired` or `withdrawn`."""
    why: str = ""
    """Why it is that."""
    since_ns: int = 0
    forgotten: bool = False
    """It learned from exchanges that were forgotten since; they go on only until a dream has learned without them."""
    parent: str = ""
    """Digest of what the level answered with then; empty: its base model."""
    base_version: str = ""
    teacher: str = ""
    data_digest: str = ""
    examples: int = 0
    code: str = ""
    """Version of the package and digest of the trainer's source."""
    settings: str = ""
    """Digest of the configuration."""
    made_ns: int = 0
    signed_by: str = ""
    """Empty: the record was refused; `why` says what is wrong with it."""
    standing: Standing | None = None
    """While it is on trial."""


class DreamRecord(msgspec.Struct, frozen=True, kw_only=True):
    completed: DreamCompleted
    ended_ns: int


class HistoryRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Ask for the dreams there were and the versions they left."""

    limit: int = 20


class History(msgspec.Struct, frozen=True, kw_only=True):
    dreams: list[DreamRecord]
    """Newest first."""
    versions: list[Lineage]
    """Oldest first."""


class ShowDream(msgspec.Struct, frozen=True, kw_only=True):
    """Ask for one dream by the beginning of its name, or of the digest of its weights; `last` is the last one."""

    ident: str


class DreamShown(msgspec.Struct, frozen=True, kw_only=True):
    dream: DreamRecord | None
    """None where the journal does not hold it any more."""
    lineage: Lineage | None = None
    """Of the weights it left; None where it left none."""
    atp: float | None = None
    """What it was charged, all its stretches together; None where that is not known any more."""


class RollBack(msgspec.Struct, frozen=True, kw_only=True):
    """Have a level answer with an earlier version."""

    level: str
    to: str = ""
    """Beginning of its digest, or `base`; empty: the one before, and where a challenger is on trial, only end that."""
    reason: str = "asked"


class RolledBack(msgspec.Struct, frozen=True, kw_only=True):
    level: str
    withdrawn: str
    """Digest of what answers no longer."""
    digest: str
    """Of what does; empty: the base model."""


class StopDream(msgspec.Struct, frozen=True, kw_only=True):
    """Interrupt the dream there is; it goes on from there another time."""


class DreamStopped(msgspec.Struct, frozen=True, kw_only=True):
    dream: str
    """Empty: there was none."""


class DreamStatusRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Ask what the consolidator holds and does."""


class DreamStatus(msgspec.Struct, frozen=True, kw_only=True):
    examples: int
    dreaming: bool
    last: DreamCompleted | None = None
    adapters: list[Adapter] = []
    challengers: list[Challenger] = []
