"""Text as a vector without a model: hashed words, word pairs and character trigrams.

Feature hashing with signs (Weinberger et al. 2009): bucket and sign come from one hash, so that collisions cancel on
average. Words of closed classes count less, for they carry no subject.
"""

from __future__ import annotations

import math
import zlib
from collections import Counter
from collections.abc import Iterator
from functools import lru_cache
from typing import TYPE_CHECKING

from nodes.context_classifier.small_words import SMALL, is_number, words_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Vector = NDArray[np.float32]

DIMENSIONS = 1024
WORD, PAIR, TRIGRAMS = 1.0, 0.6, 0.5
"""Norm that a word, a pair of words, and the trigrams of one word together bring in."""
LESS = 0.5
"""What a word of a closed class or a number counts, where another counts 1."""
NUMBER, START = "#", "^"


def hashed(words: list[str]) -> Vector:
    """Words as a unit vector [DIMENSIONS]; all zeros where there is none."""
    import numpy as np

    vector = np.zeros(DIMENSIONS, dtype=np.float32)
    for (places, signed), count in Counter(_features(words)).items():
        for place, value in zip(places, signed, strict=True):
            vector[place] += value * (1 + math.log(count))
    norm = float(np.linalg.norm(vector))
    return vector / np.float32(norm) if norm else vector


def tokens(text: str) -> list[str]:
    """Lower-case words; every number is `#`, for what a question asks does not hang on its numbers."""
    return [NUMBER if is_number(word) else word for word in words_of(text)]


def similarity(one: Vector, other: Vector) -> float:
    """Cosine, 0..1; opposite signs are hash noise and count as 0."""
    squares = float(one @ one) * float(other @ other)
    return min(1.0, max(0.0, float(one @ other) / math.sqrt(squares))) if squares else 0.0


def _features(words: list[str]) -> Iterator[tuple[tuple[int, ...], tuple[float, ...]]]:
    """Places and signed strengths of every feature."""
    for before, word in zip([START, *words], words, strict=False):
        yield _word(word)
        yield _pair(before, word)


@lru_cache(maxsize=4096)
def _word(word: str) -> tuple[tuple[int, ...], tuple[float, ...]]:
    """A word and its trigrams."""
    weight = 1.0 if _tells(word) else LESS
    framed = f" {word} "
    grams = [framed[at : at + 3] for at in range(len(framed) - 2)]
    found = [_bucket(f"w:{word}", WORD * weight)]
    found += [_bucket(f"t:{gram}", TRIGRAMS * weight / math.sqrt(len(grams))) for gram in grams]
    return tuple(place for place, _ in found), tuple(value for _, value in found)


@lru_cache(maxsize=8192)
def _pair(before: str, word: str) -> tuple[tuple[int, ...], tuple[float, ...]]:
    weight = 1.0 if _tells(before) or _tells(word) else LESS
    place, value = _bucket(f"p:{before} {word}", PAIR * weight)
    return (place,), (value,)


def _tells(word: str) -> bool:
    return word not in SMALL and word not in {NUMBER, START}


_GOLDEN = 0x9E3779B97F4A7C15
_MASK = (1 << 64) - 1


def _bucket(name: str, strength: float) -> tuple[int, float]:
    """Place and signed strength of a feature; the multiplication spreads the checksum's linear bits."""
    spread = (zlib.crc32(name.encode()) * _GOLDEN) & _MASK
    return (spread >> 33) % DIMENSIONS, strength if spread >> 63 else -strength
