"""What turns an utterance into a vector, and says which words are of one sort. `configs/context.yaml` names one.

- *tokens*: word vectors from a file (`embeddings.py`), beside the hashed features. Knows that two wordings that share
  no word may be one question, as far as the file's words reach.
- *hashed*: hashed features alone. Needs no file, and knows only words that are alike in writing.
- *model*: what a running language model makes of the utterance, beside the hashed features (`awaited.py`).
- *sentence*: the same of a sentence encoder in a local folder (`sentence.py`).

Another package registers its own under the entry points `sage.encoders`. Every encoder but the first needs a fit
(`fits.py`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import lru_cache
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import msgspec

from nodes.context_classifier import vectors
from nodes.context_classifier.embeddings import WordTable
from nodes.context_classifier.small_words import SMALL
from protocol.errors import ConfigError
from runtime import paths, plugins
from runtime.units import Duration

if TYPE_CHECKING:
    from nodes.context_classifier.vectors import Vector

GROUP = "sage.encoders"
"""Entry points of functions from a `Choice` to an `Encoder`."""
SHARES = {"written": 1.0, "model": 0.5, "company": 0.5, "answers": 1.0}
"""What the hashed features and each block of word vectors count in the likeness of utterances."""
COMPARED = ("sorts", "model")
"""The first of these blocks that a table has says which words are of one sort."""
SORT, FREQUENT_SORT = 0.6, 0.85
"""Words at least so alike are of one sort. Frequent ones are held to more: small words stand in many places."""
SAME_USE = 0.5
"""Words of one sort are about as frequent: the lighter one weighs at least this share of the other."""
RARE = 0.3
"""Weight of a word that is not frequent."""
UNTYPED = -1
UNKNOWN = 0.3
"""Weight of a word that is not in the table."""


class Choice(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    name: str = "tokens"
    words: str = "experiments/context/words.safetensors"
    """The word vectors of `tokens`; of others, what tells which words are of one sort. May lie below the install."""
    fit: str = ""
    """What is fitted to the encoder; empty: where `sage context fit` puts it."""
    level: str = "sensory"
    """Whose model reads utterances for `model`."""
    folder: str = ""
    """Where model.onnx and tokenizer.json of `sentence` lie."""
    wait: Duration = 0.4
    """Seconds that a vector may take, where it comes from elsewhere; dialogue waits longer for the context."""


def chosen(choice: Choice) -> Encoder:
    """Raises ConfigError where there is no such encoder, EmbeddingsUnreadable where its words cannot be read."""
    if choice.name not in plugins.names(GROUP):
        known = ", ".join(plugins.names(GROUP))
        raise ConfigError(
            f"no encoder is named {choice.name!r}; there are {known}",
            place="encoder.name",
            remedy=f"choose one of them, or install the package that registers {choice.name!r} under {GROUP}",
        )
    make: Callable[[Choice], Encoder] = plugins.load(GROUP, choice.name)
    return make(choice)


def hashed(_choice: Choice) -> Encoder:
    return Hashed()


def tokens(choice: Choice) -> Encoder:
    return Tokens(paths.located(choice.words))


def model(choice: Choice) -> Encoder:
    """Raises FitMissing too."""
    from nodes.context_classifier import awaited, fits

    return awaited.Awaited("model", awaited.by_model, tokens(choice), fits.load("model", choice.fit))


def sentence(choice: Choice) -> Encoder:
    """Raises FitMissing and SentenceEncoderMissing too."""
    from nodes.context_classifier import awaited, fits
    from nodes.context_classifier.sentence import Sentences

    reader = Sentences(Path(choice.folder)).read
    return awaited.Awaited("sentence", reader, tokens(choice), fits.load("sentence", choice.fit))


class Encoder(Protocol):
    name: str
    dimensions: int

    @property
    def fingerprint(self) -> str:
        """Vectors of encoders with different fingerprints must not be compared."""
        ...

    meaning: slice
    """The part of a vector that tells best what would be answered."""

    def encode(self, text: str) -> Vector:
        """A unit vector [dimensions]; all zeros where there is no word in the text."""
        ...

    def row(self, word: str) -> int:
        """A number that stands for the word to `sort`; UNTYPED where nothing is known of it."""
        ...

    def weight(self, row: int) -> float:
        """How much a word says of what an utterance is about, above 0 and at most 1."""
        ...

    def sort(self, one: int, other: int) -> float:
        """How surely two words that have rows can stand for each other, 0..1; 0 where they cannot."""
        ...


class Hashed:
    name = "hashed"
    dimensions = vectors.DIMENSIONS
    fingerprint = f"hashed/2/{vectors.DIMENSIONS}"
    meaning = slice(0, vectors.DIMENSIONS)

    def encode(self, text: str) -> Vector:
        return vectors.hashed(vectors.tokens(text))

    def row(self, word: str) -> int:
        return UNTYPED

    def weight(self, row: int) -> float:
        return 1.0

    def sort(self, one: int, other: int) -> float:
        return 0.0


class Tokens:
    """Hashed features [1024] beside the weighted mean of word vectors [d], block by block of unit length.

    Where only a part of the utterance's weight lies in known words, so much less the means count.
    """

    name = "tokens"

    def __init__(self, path: Path) -> None:
        self.table = WordTable(path)
        self._places = _places(self.table.blocks)
        self.dimensions = vectors.DIMENSIONS + sum(self.table.blocks.get(name, 0) for name in SHARES)
        self.fingerprint = f"tokens/1/{vectors.DIMENSIONS}/{self.table.fingerprint}"
        self._compared = next((self._places[name] for name in COMPARED if name in self._places), slice(0, 0))
        blocks = _places({name: self.table.blocks[name] for name in SHARES if name in self.table.blocks})
        answers = blocks.get("answers", slice(-vectors.DIMENSIONS, self.dimensions - vectors.DIMENSIONS))
        self.meaning = slice(answers.start + vectors.DIMENSIONS, answers.stop + vectors.DIMENSIONS)
        self._sort = lru_cache(maxsize=16384)(self._cosine)

    def encode(self, text: str) -> Vector:
        import numpy as np

        words = vectors.tokens(text)
        blocks, known = self._pooled(words)
        parts = [vectors.hashed(words) * math.sqrt(SHARES["written"])]
        parts += [block * math.sqrt(SHARES[name] * known) for name, block in blocks.items()]
        joined = np.concatenate(parts)
        norm = float(np.linalg.norm(joined))
        return joined / np.float32(norm) if norm else joined

    def row(self, word: str) -> int:
        return self.table.row(word)

    def weight(self, row: int) -> float:
        return float(self.table.weights[row]) if row >= 0 else UNKNOWN

    def sort(self, one: int, other: int) -> float:
        return self._sort(min(one, other), max(one, other))

    def _cosine(self, one: int, other: int) -> float:
        likeness = vectors.similarity(self.table.vector(one)[self._compared], self.table.vector(other)[self._compared])
        less, more = sorted((float(self.table.weights[one]), float(self.table.weights[other])))
        if less < SAME_USE * more:
            return 0.0
        rare = less >= RARE
        return likeness if likeness >= (SORT if rare else FREQUENT_SORT) else 0.0

    def _pooled(self, words: list[str]) -> tuple[dict[str, Vector], float]:
        """The unit mean of each block, and the share 0..1 of the words' weight that they stand for."""
        import numpy as np

        rows = [self.table.row(word) for word in words]
        known = [row for row in rows if row >= 0]
        weights = self.table.weights[known].astype(np.float32)
        total = weights @ self.table.vectors[known].astype(np.float32)
        lost = sum(vectors.LESS if word in SMALL else 1.0 for word, row in zip(words, rows, strict=True) if row < 0)
        weight = float(weights.sum())
        blocks = {name: _unit(total[self._places[name]]) for name in SHARES if name in self._places}
        return blocks, weight / (weight + lost) if known else 0.0


def _places(blocks: Mapping[str, int]) -> dict[str, slice]:
    """Where each block stands in a vector of the table."""
    ends = list(accumulate(blocks.values()))
    return {name: slice(end - width, end) for (name, width), end in zip(blocks.items(), ends, strict=True)}


def _unit(vector: Vector) -> Vector:
    import numpy as np

    norm = float(np.linalg.norm(vector))
    return vector / np.float32(norm) if norm else vector
