"""What an arm gained and lost, seed by seed and over all seeds. Pure."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from experiments.distillation.exam import Marks

T95 = {1: 12.706, 2: 4.303, 3: 3.182, 4: 2.776, 5: 2.571, 6: 2.447, 7: 2.365, 8: 2.306, 9: 2.262}
"""Two-sided 95% quantile of Student's t, by degrees of freedom."""


@dataclass(frozen=True)
class Change:
    """One arm on one day. Shares are 0..1."""

    before: float
    """Share right on what was to be learned: the mean over its skills, each the mean over its difficulties."""
    after: float
    skills: Mapping[str, tuple[float, float]]
    """Every skill, before and after."""
    targets: frozenset[str]
    had: frozenset[str]
    """Skills that the student had before: the old ones."""

    @property
    def gain(self) -> float:
        return self.after - self.before

    @property
    def worst(self) -> tuple[str, float]:
        """The old skill that lost most, and its change."""
        return _least(self._changes(self.had - self.targets))

    @property
    def worst_lacking(self) -> tuple[str, float]:
        """Of the skills that the student lacked and was not taught, the one that lost most, and its change."""
        return _least(self._changes(self.skills.keys() - self.had - self.targets))

    @property
    def old(self) -> float:
        """Mean change of the old skills."""
        changes = self._changes(self.had - self.targets)
        return sum(changes.values()) / len(changes)

    def _changes(self, names: Collection[str]) -> dict[str, float]:
        return {name: self.skills[name][1] - self.skills[name][0] for name in sorted(names)}


def change(before: Marks, after: Marks, targets: Collection[str], had: Collection[str]) -> Change:
    """Compare marks on the questions that both have answered: the first of each row."""
    skills = {name: _paired(before[name], rows) for name, rows in after.items()}
    chosen = [skills[name] for name in sorted(targets)]
    return Change(
        before=sum(first for first, _ in chosen) / len(chosen),
        after=sum(second for _, second in chosen) / len(chosen),
        skills=skills,
        targets=frozenset(targets),
        had=frozenset(had),
    )


def interval(values: Sequence[float]) -> tuple[float, float, float]:
    """Mean and the two ends of its 95% interval over seeds (Student's t); without ends where there is one seed."""
    mean = sum(values) / len(values)
    freedom = len(values) - 1
    if freedom < 1:
        return mean, -math.inf, math.inf
    spread = math.sqrt(sum((value - mean) ** 2 for value in values) / freedom / len(values))
    return mean, mean - T95[freedom] * spread, mean + T95[freedom] * spread


def _least(changes: Mapping[str, float]) -> tuple[str, float]:
    name = min(changes, key=changes.__getitem__)
    return name, changes[name]


def _paired(before: Mapping[int, Sequence[bool]], after: Mapping[int, Sequence[bool]]) -> tuple[float, float]:
    first = [_share(before[difficulty][: len(marks)]) for difficulty, marks in after.items()]
    second = [_share(marks) for marks in after.values()]
    return sum(first) / len(first), sum(second) / len(second)


def _share(marks: Sequence[bool]) -> float:
    return sum(marks) / len(marks)
