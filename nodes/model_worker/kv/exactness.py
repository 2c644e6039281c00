"""How true a piece of attention state is to what the model would compute now. Every piece carries its class."""

from enum import IntEnum


class Exactness(IntEnum):
    """In order: whoever asks for one class never gets a lower one. What rests on a lower piece is no higher itself."""

    PROJECTED = 0
    """Mapped over from another model."""
    PRUNED = 1
    """Some tokens' keys and values are missing."""
    LOSSY = 2
    """Stored with fewer bits than it was computed with."""
    CONTINUOUS = 3
    """What this model computed, in whatever portions it came: going on from it is as if nobody had interrupted."""
    COLD = 4
    """Computed in whole chunks on absolute boundaries: what a computation from nothing gives, to the last bit."""

    @property
    def label(self) -> str:
        return self.name.lower()


def exactness(label: str) -> Exactness:
    """The class of that name in lower case. Raises ValueError that lists them."""
    try:
        return Exactness[label.upper()]
    except KeyError:
        known = ", ".join(each.label for each in reversed(Exactness))
        raise ValueError(f"{label!r} is no class of exactness; there are {known}") from None
