"""What `configs/dream.yaml` says. Shares are 0..1, durations seconds."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta, Struct

from nodes.dream_consolidator.collector.redaction import Redact
from runtime import config, paths
from runtime.units import Duration, Size

Share = Annotated[float, Meta(ge=0, le=1)]
Positive = Annotated[int, Meta(ge=1)]
Count = Annotated[int, Meta(ge=0)]


class Collect(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Which exchanges are kept."""

    salience: Share
    sample: Share
    capacity: Positive
    near: Annotated[float, Meta(gt=0, le=1)] = 0.8
    unheard: tuple[str, ...] = ()
    redact: Redact = Redact()


class Select(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Which of them become lessons, and which only judge."""

    lessons: Positive
    exponent: Annotated[float, Meta(ge=0)]
    held_out: Share
    turn: Share
    development: Share
    near: Annotated[float, Meta(gt=0, le=1)]
    judged: Positive
    rehearsal: Annotated[float, Meta(ge=0, lt=1)]
    self_asked: Count
    turns: Positive

    def __post_init__(self) -> None:
        if self.held_out + self.turn + self.development >= 1:
            raise ValueError("held_out, turn and development leave nothing to learn from; their sum must stay below 1")


class Teach(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Who teaches, and how it is asked."""

    by: Literal["worker", "here", "endpoint"]
    top_k: Positive
    at_once: Positive
    cache: Size


class Train(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How the student learns."""

    method: Literal["full", "lora"]
    rank: Positive
    loss: Literal["forward_kl", "reverse_kl", "jsd", "mse", "cross_entropy"]
    beta: Annotated[float, Meta(gt=0, lt=1)]
    cross_entropy: Share
    epochs: Positive
    steps: Count
    on_policy: Share
    batch: Positive
    at_once: Positive
    chunk: Positive
    recompute: bool
    precision: Literal["auto", "float32", "bfloat16"]
    rate: Literal["auto"] | Annotated[float, Meta(gt=0)]
    schedule: Literal["trapezoid", "cosine", "constant"]
    evaluate: Positive
    patience: Positive
    way: Annotated[float, Meta(gt=0, le=1)]
    checkpoint: Duration
    memory: Literal["auto"] | Size

    def __post_init__(self) -> None:
        if self.on_policy and self.loss == "cross_entropy":
            raise ValueError("on_policy asks what the teacher says of the student's answers; cross_entropy ignores it")


class Judge(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a lesson must prove."""

    alpha: Annotated[float, Meta(gt=0, lt=1)]
    margin: Annotated[float, Meta(gt=0, lt=1)]
    sure: Annotated[float, Meta(gt=0.5, lt=1)]
    few: Positive
    length: Annotated[float, Meta(gt=1)]
    calibration: Annotated[float, Meta(gt=0, lt=1)]


class Dreaming(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """When a dream is worth its energy, and how fast it gives way."""

    lessons: Positive
    questions: Positive
    fresh: Positive
    unjudged: Share
    stratum: Positive
    ripe: Duration
    every: Duration
    niceness: Annotated[int, Meta(ge=0, le=19)]
    grace: Duration
    expected: Annotated[float, Meta(gt=0)]
    held: Annotated[float, Meta(gt=0, le=1)]


class Canary(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How new weights prove themselves in use, and what ends that."""

    share: Share
    alpha: Annotated[float, Meta(gt=0, lt=1)]
    margin: Annotated[float, Meta(gt=0, lt=1)]
    longest: Duration
    judged: Positive
    undecided: Literal["promote", "withdraw"]
    no_room: Literal["promote", "withdraw"]
    forgotten: Literal["keep", "withdraw"]


class Settings(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    students: tuple[str, ...]
    collect: Collect
    select: Select
    teach: Teach
    train: Train
    judge: Judge
    dream: Dreaming
    canary: Canary


def load(path: Path | str | None = None) -> Settings:
    """The settings in the file at `path`, by default those that ship. A relative path may lie below the install."""
    if path is None:
        return config.load(paths.shipped("configs/dream.yaml"), Settings)
    return config.load(paths.located(path), Settings)
