"""Text as a vector, without a model: hashed words, word pairs and character trigrams, weighted by what is rare.

Feature hashing with signs (Weinberger et al. 2009): bucket and sign come from one hash, so that collisions cancel on
average. The weights are smoothed inverse document frequencies, learned as texts go by; they are kept apart from the
vectors, because yesterday's centroids must be comparable with today's input under today's weights.
"""

from __future__ import annotations

import math
import re
import zlib
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Vector = NDArray[np.float32]

DIMENSIONS = 2048
WORD, PAIR, TRIGRAMS = 1.0, 0.6, 0.5
"""Norm that a word, a pair of words, and the trigrams of one word together bring in."""

_TOKEN = re.compile(r"\w+(?:'\w+)?")
_NUMBER = re.compile(
    r"\d+|zero|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|(?:thir|four|fif|six|seven|eigh|nine)teen"
    r"|(?:twen|thir|for|fif|six|seven|eigh|nine)ty|hundred|thousand"
)
"""Recognisers of speech write numbers out."""
_GOLDEN = 0x9E3779B97F4A7C15
_MASK = (1 << 64) - 1
_NEGATION = re.compile(r"(?:not|no|never|none|nothing|nobody|nor|neither|cannot|without|wrong|\w+n't)")


def encode(text: str) -> Vector:
    """`text` as a unit vector [DIMENSIONS]; all zeros where there is no word in it. Numbers count by their presence."""
    import numpy as np

    vector = np.zeros(DIMENSIONS, dtype=np.float32)
    counts = Counter[str]()
    strengths: dict[str, float] = {}
    for name, strength in _features(tokens(text)):
        counts[name] += 1
        strengths[name] = strength
    for name, count in counts.items():
        bucket, sign = _bucket(name)
        vector[bucket] += sign * strengths[name] * (1 + math.log(count))
    norm = float(np.linalg.norm(vector))
    return vector / np.float32(norm) if norm else vector


def tokens(text: str) -> list[str]:
    """Lower-case words; every number is `#`, for what a question asks does not hang on its numbers."""
    words = _TOKEN.findall(text.lower().replace("’", "'"))
    return ["#" if _NUMBER.fullmatch(word) else word for word in words]


def denies(text: str) -> bool:
    """Whether the text says no to something: an odd number of negating words."""
    return sum(bool(_NEGATION.fullmatch(word)) for word in tokens(text)) % 2 == 1


def affirmed(text: str) -> str:
    """The text without its negating words: what it says yes or no to."""
    return " ".join(word for word in tokens(text) if not _NEGATION.fullmatch(word))


def similarity(one: Vector, other: Vector, weights: Vector) -> float:
    """Cosine of the weighted vectors, 0..1; opposite signs are hash noise and count as 0."""
    import numpy as np

    first, second = one * weights, other * weights
    norms = float(np.linalg.norm(first) * np.linalg.norm(second))
    return min(1.0, max(0.0, float(first @ second) / norms)) if norms else 0.0


class Rarity:
    """Online inverse document frequency per bucket: log((1 + N) / (1 + df)) + 1."""

    def __init__(self, frequencies: Vector | None = None, documents: int = 0) -> None:
        import numpy as np

        self.frequencies: Vector = np.zeros(DIMENSIONS, dtype=np.float32) if frequencies is None else frequencies
        self.documents = documents

    def observe(self, vector: Vector) -> None:
        self.frequencies += vector != 0
        self.documents += 1

    def weights(self) -> Vector:
        """[DIMENSIONS], from 1 for what is in every text."""
        import numpy as np

        return (np.log((1 + self.documents) / (1 + self.frequencies)) + 1).astype(np.float32)


def _features(words: list[str]) -> Iterator[tuple[str, float]]:
    for before, word in zip(["^", *words], words, strict=False):
        yield f"w:{word}", WORD
        yield f"p:{before} {word}", PAIR
        framed = f" {word} "
        grams = [framed[at : at + 3] for at in range(len(framed) - 2)]
        for gram in grams:
            yield f"t:{gram}", TRIGRAMS / math.sqrt(len(grams))


def _bucket(name: str) -> tuple[int, float]:
    """Place and sign of a feature; the multiplication spreads the checksum's linear bits."""
    spread = (zlib.crc32(name.encode()) * _GOLDEN) & _MASK
    return (spread >> 33) % DIMENSIONS, 1.0 if spread >> 63 else -1.0
