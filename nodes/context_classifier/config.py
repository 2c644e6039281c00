"""What `configs/context.yaml` says, typed."""

from __future__ import annotations

from typing import Annotated

import msgspec

from nodes.context_classifier.classify import Questions
from nodes.context_classifier.encoder import Choice
from nodes.context_classifier.memory import Limits
from nodes.context_classifier.salience import Salience, Weights
from runtime import config, paths
from runtime.units import Duration


class ContextConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    limits: Limits = Limits()
    encoder: Choice = Choice()
    questions: Questions = Questions()
    """Fitted to `tokens`; those of any other encoder stand in its fit."""
    weights: Weights = Weights()
    salience: Salience = Salience()
    save_every: Duration = 30.0
    """Seconds of learning that a crash may cost."""
    scored: Annotated[int, msgspec.Meta(ge=1)] = 1024
    """Finished exchanges whose score is remembered."""


def load(path: str = "configs/context.yaml") -> ContextConfig:
    """The configuration in the file at `path`; a relative path may lie below the install."""
    return config.load(paths.located(path), ContextConfig)
