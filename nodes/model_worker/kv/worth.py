"""What a piece of attention state is worth keeping, and whether it is worth loading. Pure."""

from dataclasses import dataclass

HALF_LIFE_S = 600.0
"""A conversation that paused so long is half as likely to go on."""

UNSCORED = 0.5
"""Salience of what nobody has scored: as likely to matter as not."""

FAINTEST = 0.05
"""Salience below which two conversations matter equally little; it keeps age and use in the balance."""


def worth(*, saved_s: float, age_s: float, hits: int, salience: float, nbytes: int) -> float:
    """Seconds of computing saved × chance of reuse × salience, per byte.

    The chance halves with every HALF_LIFE_S since the last use and grows with the logarithm of the uses so far.
    """
    chance: float = 0.5 ** (max(0.0, age_s) / HALF_LIFE_S) * (1 + hits).bit_length()
    return saved_s * chance * salience / max(1, nbytes)


@dataclass
class Costs:
    """What computing and loading cost on this machine, measured as they happen (exponential means)."""

    compute_s: float = 0.0
    """Per token of prefill; 0 before the first was measured."""
    load_s: float = 0.0
    """Per byte of a chunk."""

    def computed(self, tokens: int, seconds: float) -> None:
        self.compute_s = _mean(self.compute_s, seconds / tokens)

    def loaded(self, nbytes: int, seconds: float) -> None:
        self.load_s = _mean(self.load_s, seconds / max(1, nbytes))

    def loading_pays(self, tokens: int, nbytes: int) -> bool:
        """Whether loading is faster than computing; while either is unknown, loading is tried.

        Every time it is not, its cost is believed a little less, so that a disk that was slow once is tried again.
        """
        if not (self.compute_s and self.load_s):
            return True
        pays = self.load_s * nbytes < self.compute_s * tokens
        if not pays:
            self.load_s *= 1 - _WEIGHT / 4
        return pays


_WEIGHT = 0.2


def _mean(before: float, now: float) -> float:
    return now if before == 0.0 else before + _WEIGHT * (now - before)
