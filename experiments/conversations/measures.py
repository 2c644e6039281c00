"""What the conversations came to. Pure.

A turn counts where somebody can tell what is right: by the curriculum's verifier, or by the pattern that should answer.
A person is content with a turn whose answer is right, whose first piece that stood came in time, and all of it too.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

from experiments.conversations.script import Kind
from experiments.conversations.talking import Both, Heard
from experiments.conversations.world import Patience
from experiments.reference.intervals import wilson
from nodes.dialogue.answers import PATTERN
from nodes.dialogue.deliveries import ASSUMPTION
from nodes.dialogue.tuning import upper_bound
from protocol.messages.trust import Outcome, TrustRow
from runtime.bench.statistics import median, percentile

SHARES = (0.5, 0.95, 0.99)
CASCADE, UNANSWERED = "cascade", "no answer"
SURE = 0.95
Z90 = NormalDist().inv_cdf(0.95)
FEWEST = 10
"""Outcomes of a level in a context below which its measured accuracy says too little."""


@dataclass(frozen=True)
class Cell:
    """What is believed of a level's version in a context, and what verifiers found of all its answers there."""

    level: str
    version: str
    context: str
    trust: float
    low: float
    high: float
    alpha: float
    beta: float
    right: float
    outcomes: int

    @property
    def measured(self) -> tuple[float, float]:
        """The 90% interval of what was measured: a share of few answers says little, and all right is never sure."""
        return wilson(round(self.right * self.outcomes), self.outcomes, Z90)

    @property
    def held(self) -> bool:
        """Whether the intervals of trust and of the measurement meet."""
        low, high = self.measured
        return self.low <= high and low <= self.high


def content(heard: Heard, patience: Patience) -> bool:
    return bool(heard.right) and heard.standing_s <= patience.first and heard.whole_s <= patience.whole


def who(heard: Heard) -> str:
    """Who answered: a pattern, an assumption, a level at once, or a cascade."""
    if not heard.answered_by:
        return UNANSWERED
    return CASCADE if len(heard.tried) > 1 else heard.answered_by


def parts(turns: Sequence[Both], levels: Sequence[str]) -> dict[str, float]:
    """Share of the turns that each answered."""
    counted = Counter(who(both.ours) for both in turns)
    names = [PATTERN, ASSUMPTION, *levels, CASCADE, UNANSWERED]
    return {name: round(counted[name] / len(turns), 4) for name in names}


def right(turns: Sequence[Both]) -> dict[str, Any]:
    """Right answers to the same questions. `bound`: one-sided 95% bound of the share lost against always-largest."""
    judged = [both for both in turns if both.ours.kind != Kind.PATTERN and None not in _rights(both)]
    worse = sum(bool(both.largest.right) and not both.ours.right for both in judged)
    better = sum(bool(both.ours.right) and not both.largest.right for both in judged)
    count = len(judged)
    return {
        "questions": count,
        "ours": _share(sum(bool(both.ours.right) for both in judged), count),
        "largest": _share(sum(bool(both.largest.right) for both in judged), count),
        "lost": _share(worse - better, count),
        "lost_bound": round(upper_bound(worse, better, count, SURE), 4) if count else None,
    }


def satisfaction(turns: Sequence[Both], patience: Patience) -> dict[str, Any]:
    counting = [both for both in turns if None not in _rights(both)]
    found: dict[str, Any] = {"turns": len(counting)}
    for name, side in _SIDES.items():
        contented = sum(content(side(both), patience) for both in counting)
        low, high = wilson(contented, len(counting))
        found[name] = {
            "content": _share(contented, len(counting)),
            "low": round(low, 4),
            "high": round(high, 4),
            "late": _share(sum(_late(side(both), patience) for both in counting), len(counting)),
        }
    return found


def latency(turns: Sequence[Both]) -> dict[str, Any]:
    """Seconds, and as shares of always-largest's. `paired`: median of the ratios turn by turn."""
    found: dict[str, Any] = {}
    for what, of in _TIMES.items():
        ours, largest = [of(both.ours) for both in turns], [of(both.largest) for both in turns]
        found[what] = {
            f"p{share * 100:g}": {
                "ours_s": round(percentile(ours, share), 4),
                "largest_s": round(percentile(largest, share), 4),
                "ratio": round(percentile(ours, share) / percentile(largest, share), 3),
            }
            for share in SHARES
        }
        found[what]["paired"] = round(median([mine / other for mine, other in zip(ours, largest, strict=True)]), 3)
    return found


def by_whom(turns: Sequence[Both]) -> dict[str, dict[str, float]]:
    """By who answered: median seconds, mean ATP, and both as shares of always-largest's to the same words."""
    groups: dict[str, list[Both]] = defaultdict(list)
    for both in turns:
        groups[who(both.ours)].append(both)
    return {
        name: {
            "turns": len(each),
            "first_s": round(median([both.ours.standing_s for both in each]), 4),
            "whole_s": round(median([both.ours.whole_s for both in each]), 4),
            "ratio": round(median([both.ours.whole_s / both.largest.whole_s for both in each]), 3),
            "atp": round(sum(both.ours.atp for both in each) / len(each), 4),
            "atp_largest": round(sum(both.largest.atp for both in each) / len(each), 4),
        }
        for name, each in sorted(groups.items())
    }


def energy(turns: Sequence[Both]) -> dict[str, float | None]:
    """ATP of the answers."""
    ours, largest = (sum(side(both).atp for both in turns) for side in _SIDES.values())
    return {
        "ours": round(ours, 3),
        "largest": round(largest, 3),
        "saved": round(1 - ours / largest, 4) if largest else None,
    }


def could_save(turns: Sequence[Both], smallest: str) -> float | None:
    """Share of the ATP that the smallest level saved where it answered alone: no choice of levels saves more."""
    alone = [both for both in turns if who(both.ours) == smallest]
    return energy(alone)["saved"]


def cells(rows: Iterable[TrustRow], outcomes: Iterable[Outcome], judge: str) -> list[Cell]:
    """Trust beside the mean of what the verifier `judge` found, for all answers of a version in a context."""
    found: dict[tuple[str, str, str], list[float]] = defaultdict(list)
    for told in outcomes:
        if told.source == judge and not told.judgement:
            found[told.level, told.version, told.context].append(told.score)
    return [
        Cell(
            level=row.level,
            version=row.version,
            context=row.context,
            trust=row.mean,
            low=row.low,
            high=row.high,
            alpha=row.alpha,
            beta=row.beta,
            right=sum(scores) / len(scores),
            outcomes=len(scores),
        )
        for row in rows
        if (scores := found.get((row.level, row.version, row.context)))
    ]


def overrides(outcomes: Iterable[Outcome]) -> dict[str, int]:
    """What overruled the choice of a level, as the ledger has it, and how often."""
    return dict(Counter(told.override for told in outcomes if told.override and not told.judgement))


def summary(turns: Sequence[Both], levels: Sequence[str], patience: Patience) -> dict[str, Any]:
    states = Counter(both.ours.state for both in turns)
    return {
        "turns": len(turns),
        "kinds": dict(Counter(both.ours.kind for both in turns)),
        "unanswered": sum(not both.ours.answered_by for both in turns),
        "parts": parts(turns, levels),
        "right": right(turns),
        "satisfaction": satisfaction(turns, patience),
        "latency": latency(turns),
        "by_whom": by_whom(turns),
        "atp": {**energy(turns), "could_save": could_save(turns, levels[0])},
        "states": dict(states),
    }


def _late(heard: Heard, patience: Patience) -> bool:
    return heard.standing_s > patience.first or heard.whole_s > patience.whole


def _rights(both: Both) -> tuple[bool | None, bool | None]:
    return both.ours.right, both.largest.right


def _share(part: int, whole: int) -> float | None:
    return round(part / whole, 4) if whole else None


_SIDES: Mapping[str, Callable[[Both], Heard]] = {"ours": lambda both: both.ours, "largest": lambda both: both.largest}
_TIMES: Mapping[str, Callable[[Heard], float]] = {
    "first_part": lambda heard: heard.first_s,
    "first_part_that_stood": lambda heard: heard.standing_s,
    "whole": lambda heard: heard.whole_s,
}
