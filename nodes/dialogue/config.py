"""What `configs/dialogue.yaml` says, typed."""

from __future__ import annotations

from typing import Annotated

import msgspec

from nodes.dialogue.choice import ChoiceSettings, Share
from nodes.dialogue.conversation import ConversationLimits
from nodes.trust_ledger.config import TrustConfig
from runtime import config, paths
from runtime.units import Duration

Count = Annotated[int, msgspec.Meta(ge=1)]


class LevelConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    name: Annotated[str, msgspec.Meta(min_length=1)]
    node: str = ""
    """Node that answers for it; empty: model_worker/<name>."""
    cost: Annotated[float, msgspec.Meta(gt=0)]
    """Of an exchange, against the other levels, until the ledger has measured it."""
    accept_at: Share = 0.8
    """Confidence at which its answer stands."""

    @property
    def worker(self) -> str:
        return self.node or f"model_worker/{self.name}"


class Times(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    answer: Duration = 90.0
    """Longest time for an answer whose asker named none."""
    rouse: Duration = 1.0
    classify: Duration = 1.0
    reserve: Duration = 0.5
    """To have energy held; an answer does not wait longer for it."""
    first_share: Share = 0.6
    """Of the time left, what a level may take while another could still go on."""
    spare: Duration = 1.0
    """With less time left, no further level is begun."""
    delivery: Duration = 10.0
    """For one delivery out of the outbox."""


class Kept(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    conversations: Count = 256
    traces: Count = 2000


class ReplayConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    questions: Count = 1000
    """Of the day, kept to be replayed."""
    samples: Count = 2000
    """Replayed ones, kept to be learned from."""
    each: Annotated[int, msgspec.Meta(ge=0)] = 100
    """That are replayed after a dream; 0: only on demand."""
    answer: Duration = 60.0
    """Longest time for one level's answer."""


class Checkpoints(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """From where on an exchange is a moment at which the conversation's attention state is kept beside itself."""

    salience: Share = 0.85
    novelty: Share = 0.9
    """What is that new opens another topic."""


class Phrases(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    not_understood: str = "I heard you, but I did not understand."
    failed: str = "I cannot answer now."


class DialogueConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    levels: Annotated[tuple[LevelConfig, ...], msgspec.Meta(min_length=1)]
    """Least capable first."""
    choice: ChoiceSettings = ChoiceSettings()
    conversation: ConversationLimits = ConversationLimits()
    system: str = ""
    """What every model is told first; empty: as its template says."""
    stop_patterns: tuple[str, ...] = ("stop",)
    """Patterns that also end what is being answered in the same conversation."""
    verify: bool = True
    """Whether verifiers that know a question score its answers, for the ledger to learn from."""
    phrases: Phrases = Phrases()
    times: Times = Times()
    kept: Kept = Kept()
    replay: ReplayConfig = ReplayConfig()
    checkpoints: Checkpoints = Checkpoints()

    def __post_init__(self) -> None:
        names = [level.name for level in self.levels]
        if twice := {name for name in names if names.count(name) > 1}:
            raise ValueError(f"the level {min(twice)!r} is given twice")


def load(path: str = "configs/dialogue.yaml") -> DialogueConfig:
    """The configuration in the file at `path`; a relative path may lie below the install."""
    return config.load(paths.located(path), DialogueConfig)


def load_trust(path: str = "configs/trust.yaml") -> TrustConfig:
    """What the ledger believes before it knows anything: the very file that it reads itself."""
    return config.load(paths.located(path), TrustConfig)
