"""Which messages of a source were missed. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field

Key = tuple[str, str, str]
"""(host, source, topic)"""

_REMEMBERED = 4096
"""Sources and topics followed at once. Names on the wire could be without end; the longest unheard is forgotten."""


def reborn(epoch: int, mono_ns: int, known_epoch: int, known_mono_ns: int) -> bool:
    """Whether a message of another boot of a source is of a later one than the message known so far.

    Epochs are wall time, and a clock may be set back. So the host's monotonic time decides; only where the host itself
    was booted anew, which begins that time again, does the epoch.
    """
    return mono_ns > known_mono_ns or epoch > known_epoch


@dataclass
class _Track:
    epoch: int
    last: int
    mono_ns: int
    lost: int = 0


@dataclass
class Sequences:
    """Follows the sequence of every (source, topic) that a reader hears.

    A reader that was listening before a source was born expects that source's first message; of an older source it
    cannot know what went before.
    """

    live_since_ms: int = 0
    """Wall time at which this reader's subscriptions were first proved live; 0 before."""
    lost: int = 0
    """Messages that never came."""
    repeated: int = 0
    """Messages that came again, or after a newer snapshot: not delivered."""
    forgotten: int = 0
    """Tracks given up for newer ones."""
    _tracks: dict[Key, _Track] = field(default_factory=dict)

    def accept(self, key: Key, epoch: int, seq: int, mono_ns: int) -> bool:
        """Whether message `seq` of that boot of the source is new; what is missing before it is counted."""
        track = self._tracks.get(key)
        if track is None or (track.epoch != epoch and reborn(epoch, mono_ns, track.epoch, track.mono_ns)):
            track = self._begin(key, epoch, seq, mono_ns)
            missing = seq - 1 if epoch >= self.live_since_ms > 0 else 0
        elif epoch != track.epoch or seq <= track.last:
            self.repeated += 1
            return False
        else:
            missing = seq - track.last - 1
            track.last, track.mono_ns = seq, mono_ns
        self.lost += missing
        track.lost += missing
        return True

    def rebase(self, key: Key, epoch: int, seq: int, mono_ns: int) -> bool:
        """A retained value from a snapshot: whether it is newer than what was heard. No gap is counted for it."""
        track = self._tracks.get(key)
        if track is not None:
            same = track.epoch == epoch
            if (same and seq <= track.last) or (not same and not reborn(epoch, mono_ns, track.epoch, track.mono_ns)):
                return False
        self._begin(key, epoch, seq, mono_ns)
        return True

    def gaps(self) -> dict[Key, int]:
        """Where messages were lost, and how many."""
        return {key: track.lost for key, track in self._tracks.items() if track.lost}

    def _begin(self, key: Key, epoch: int, seq: int, mono_ns: int) -> _Track:
        before = self._tracks.pop(key, None)
        if len(self._tracks) >= _REMEMBERED:
            del self._tracks[next(iter(self._tracks))]
            self.forgotten += 1
        track = self._tracks[key] = _Track(epoch, seq, mono_ns, before.lost if before else 0)
        return track
