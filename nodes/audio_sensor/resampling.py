"""Any sample rate to another, block by block, as if the whole had been converted at once; and frames out of blocks.

A windowed-sinc low-pass in polyphase form (Crochiere and Rabiner 1983, chapter 3). With up/down the ratio of the rates
in lowest terms, output n lies at input time n * down / up and is the sum of the 2 * reach + 1 inputs around it,
weighted by the row of the filter bank that belongs to its fraction.
"""

from __future__ import annotations

from math import ceil, gcd
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

ZERO_CROSSINGS = 16
"""Half length of the filter, in periods of the lower rate: stop band below -80 dB."""
ROLL_OFF = 0.92
"""Pass band, as a share of what the lower rate can carry."""
KAISER_BETA = 8.6


class Resampler:
    """Stateful: the outputs of all `feed` calls and one `flush`, joined, do not depend on where the input was cut."""

    def __init__(self, rate_in: int, rate_out: int) -> None:
        import numpy as np

        common = gcd(rate_in, rate_out)
        self.up, self.down = rate_out // common, rate_in // common
        self._bank, self._reach = _filter_bank(self.up, self.down)
        self._buffer = np.zeros(self._reach, np.float32)
        self._begin = -self._reach  # input index of the first sample in the buffer
        self._received = 0
        self._produced = 0

    def feed(self, block: np.ndarray) -> np.ndarray:
        """float32 (n,) in, float32 (about n * up / down,) out, late by the reach of the filter."""
        if self.up == self.down:
            return block
        self._received += len(block)
        return self._convert(block, self._received - self._reach)

    def flush(self) -> np.ndarray:
        """What is left when the input has ended."""
        import numpy as np

        return self._convert(np.zeros(self._reach + 1, np.float32), self._received)

    def _convert(self, block: np.ndarray, settled: int) -> np.ndarray:
        """Outputs that lie before input time `settled`, whose neighbours have all arrived."""
        import numpy as np

        self._buffer = np.concatenate([self._buffer, block])
        upto = ceil(settled * self.up / self.down)
        if upto <= self._produced:
            return self._buffer[:0]
        positions = np.arange(self._produced, upto, dtype=np.int64) * self.down
        centres, fractions = positions // self.up, positions % self.up
        windows = np.lib.stride_tricks.sliding_window_view(self._buffer, 2 * self._reach + 1)
        taken = windows[centres - self._reach - self._begin]
        result: np.ndarray = np.einsum("nt,nt->n", taken, self._bank[fractions])
        self._produced = upto
        spent = upto * self.down // self.up - self._reach - self._begin
        self._buffer = self._buffer[spent:]
        self._begin += spent
        return result


class Framer:
    """Blocks of any length in, frames of exactly `size` samples out."""

    def __init__(self, size: int) -> None:
        import numpy as np

        self.size = size
        self._rest = np.zeros(0, np.float32)

    def feed(self, block: np.ndarray) -> list[np.ndarray]:
        import numpy as np

        joined = np.concatenate([self._rest, block])
        whole = len(joined) // self.size
        self._rest = joined[whole * self.size :]
        return list(joined[: whole * self.size].reshape(whole, self.size))

    def flush(self) -> list[np.ndarray]:
        """The rest, filled up with silence; nothing where there is no rest."""
        import numpy as np

        if not len(self._rest):
            return []
        return self.feed(np.zeros(self.size - len(self._rest), np.float32))


def _filter_bank(up: int, down: int) -> tuple[np.ndarray, int]:
    """float32 (up, 2 * reach + 1) and the reach in input samples. Every row sums to one: silence and level are kept."""
    import numpy as np

    half = ZERO_CROSSINGS * max(up, down)
    reach = ceil(half / up)
    offsets = np.arange(-reach, reach + 1)
    distance = np.arange(up)[:, None] - offsets[None, :] * up  # in steps of 1 / (up * input rate)
    window = np.i0(KAISER_BETA * np.sqrt(np.clip(1 - (distance / half) ** 2, 0, None)))
    bank = np.sinc(ROLL_OFF * distance / max(up, down)) * window * (np.abs(distance) <= half)
    return (bank / bank.sum(axis=1, keepdims=True)).astype(np.float32), reach
