"""What `configs/reality.yaml` says, typed. Numbers with which something could never happen are refused by a named rule.

| rule | says |
|---|---|
| `bands-in-order` | 0 < verify < rebuild < 1 |
| `bar-attainable` | no level asks for more confidence than an assumption can have |
| `verify-reachable` | at every level, whatever is relied on can be shaken enough to be verified |
| `rebuild-reachable` | at every level, whatever is relied on can be shaken enough to be rebuilt |

Reachable means: also for an assumption that is only just relied on and on which nothing rests.
"""

from __future__ import annotations

from typing import Annotated

import msgspec

from nodes.dialogue.reality.assumption import Level
from runtime import config, paths

Share = Annotated[float, msgspec.Meta(gt=0, lt=1)]
Count = Annotated[int, msgspec.Meta(ge=1)]


class LevelRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    threshold: Share
    """Surprise at which an assumption of this level is doubted."""
    bar: Share
    """Confidence from which it is relied on; below it must be verified first."""


class Bands(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    verify: float = 0.3
    rebuild: float = 0.6


class Centrality(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    leaf: Share = 0.9
    """Of an assumption on which nothing rests."""
    half: Annotated[float, msgspec.Meta(gt=0)] = 4.0
    """Assumptions that must rest on it for half the way to 1."""


class Confidence(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    limit: Share = 0.99
    """Nothing is surer than that."""


class Kept(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    assumptions: Count = 4096
    """Past it, what was used least recently and bears nothing goes."""
    owed: Count = 1024
    """What others are still to drop; past it, what was used longest ago is given up."""
    exchanges: Count = 8192
    """Exchanges of which it is known from which assumption they were answered."""
    cascades: Count = 200


def _glossary() -> dict[Level, LevelRule]:
    return {
        Level.SENSORY: LevelRule(threshold=0.3, bar=0.7),
        Level.ENVIRONMENT: LevelRule(threshold=0.5, bar=0.82),
        Level.CONTEXT: LevelRule(threshold=0.6, bar=0.88),
        Level.ABSTRACT: LevelRule(threshold=0.7, bar=0.93),
    }


class RealityConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    answers: bool = True
    """Whether dialogue gives an answer again that it has accepted before, to the same question on the same grounds."""
    levels: dict[Level, LevelRule] = msgspec.field(default_factory=_glossary)
    bands: Bands = Bands()
    centrality: Centrality = Centrality()
    confidence: Confidence = Confidence()
    kept: Kept = Kept()

    def __post_init__(self) -> None:
        if missing := [str(level) for level in Level if level not in self.levels]:
            raise ValueError(f"levels: there is nothing about {', '.join(missing)}")
        if broken := broken_rule(self):
            raise ValueError(broken)


def rebuilt_at(level: Level, config: RealityConfig) -> float:
    """The surprise from which an assumption of the level is rebuilt: where `surprise.weighed` reaches the band."""
    threshold, bands = config.levels[level].threshold, config.bands
    return threshold + (1 - threshold) * (bands.rebuild - bands.verify) / (1 - bands.verify)


def broken_rule(settings: RealityConfig) -> str:
    """The first rule that does not hold, in words; "" where all do."""
    bands, limit, leaf = settings.bands, settings.confidence.limit, settings.centrality.leaf
    if not 0 < bands.verify < bands.rebuild < 1:
        return f"rule bands-in-order: 0 < verify {bands.verify} < rebuild {bands.rebuild} < 1 does not hold"
    for level, rule in settings.levels.items():
        if rule.bar > limit:
            return f"rule bar-attainable: {level} asks for a confidence of {rule.bar}, but none goes beyond {limit}"
        for what, needed in (("verify", rule.threshold), ("rebuild", rebuilt_at(level, settings))):
            if rule.bar * leaf < needed:
                return (
                    f"rule {what}-reachable: at level {level} the largest surprise of an assumption that is just "
                    f"relied on and bears nothing is {rule.bar * leaf:.3f} (bar {rule.bar} x leaf {leaf}), "
                    f"but {what} begins at {needed:.3f}; raise the bar or the leaf, or lower the threshold"
                )
    return ""


def load(path: str = "configs/reality.yaml") -> RealityConfig:
    """The configuration in the file at `path`; a relative path may lie below the install. Raises `ConfigError`."""
    return config.load(paths.located(path), RealityConfig)
