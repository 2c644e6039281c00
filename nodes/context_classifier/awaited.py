"""Encoders whose vectors come from elsewhere: they are awaited first, and then an utterance is looked at as ever.

Beside what a model makes of an utterance stand the hashed features of its words, as in `tokens`. Which words are of one
sort a table of words tells: a model says nothing of words by themselves.
"""

from __future__ import annotations

import hashlib
import math
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from nodes.context_classifier import fits, vectors
from nodes.context_classifier.fits import Fit
from nodes.context_classifier.memory import LONGEST
from protocol.errors import SageError
from protocol.messages.model import Embed, Embedded

if TYPE_CHECKING:
    from nodes.context_classifier.encoder import Encoder
    from nodes.context_classifier.vectors import Vector

REMEMBERED = 1024
"""Texts whose vectors need not be asked for again."""

Ask = Callable[[Embed], Awaitable[Embedded]]
"""How a model worker is asked, whichever the configuration names."""


class EncoderUnavailable(SageError):
    """There is no vector of the text: nothing is learned from it."""

    code = "context.encoder"


@dataclass(frozen=True)
class Read:
    """What was made of a text elsewhere."""

    vector: Vector
    """[width]"""
    origin: str
    """What read it, to the last bit that decides: vectors of different origins must not be compared."""
    base: str
    """What of that a fit was made for."""


Reader = Callable[[str, Ask], Awaitable[Read]]


class Awaited:
    """An `Encoder` of texts that were read before."""

    def __init__(self, name: str, reader: Reader, words: Encoder, fit: Fit) -> None:
        self.name = name
        self.fit = fit
        self.origin = ""
        """Of the vectors it remembers; "" before the first."""
        self.dimensions = vectors.DIMENSIONS + fit.dimensions
        self.meaning = slice(vectors.DIMENSIONS, self.dimensions)
        self.row, self.weight, self.sort = words.row, words.weight, words.sort
        digest = hashlib.blake2b(msgspec.json.encode(fit), digest_size=8).hexdigest()
        self.kind = f"{name}/1/{vectors.DIMENSIONS}/{digest}/{words.fingerprint}"
        self._reader = reader
        self._read: OrderedDict[str, Vector] = OrderedDict()

    @property
    def fingerprint(self) -> str:
        return f"{self.kind}/{self.origin}"

    def assume(self, fingerprint: str) -> bool:
        """Take what was remembered under this fingerprint for comparable, until something else reads a text.

        Whether that can be: nothing was read yet, and all but the origin is the same.
        """
        same = fingerprint.startswith(f"{self.kind}/")
        if same and not self.origin:
            self.origin = fingerprint.removeprefix(f"{self.kind}/")
        return same and fingerprint == self.fingerprint

    async def read(self, text: str, ask: Ask) -> None:
        """Have the vector of a text. Raises `EncoderUnavailable`, and what asking raises."""
        text = text[:LONGEST]
        if text not in self._read:
            self.take(text, await self._reader(text, ask))

    def take(self, text: str, read: Read) -> None:
        """Remember the vector of a text; those of another origin are forgotten. Raises `EncoderUnavailable`."""
        fit = self.fit
        if (read.base, len(read.vector)) != (fit.base, fit.width):
            raise EncoderUnavailable(
                f"the fit is made for {fit.width} numbers by {fit.base}; here are {len(read.vector)} by {read.base}",
                place=f"encoder {self.name}",
                remedy=fits.remedy(self.name),
            )
        if read.origin != self.origin:
            self._read.clear()
            self.origin = read.origin
        self._read[text] = self._joined(text, read.vector)
        while len(self._read) > REMEMBERED:
            self._read.popitem(last=False)

    def encode(self, text: str) -> Vector:
        """A unit vector [dimensions] of a text that was read."""
        try:
            return self._read[text]
        except KeyError:
            raise EncoderUnavailable("the text was not read before", place=f"encoder {self.name}") from None

    def _joined(self, text: str, vector: Vector) -> Vector:
        import numpy as np

        written = vectors.hashed(vectors.tokens(text))
        meant = self.fit.scaled(vector) * np.float32(math.sqrt(self.fit.share))
        joined: Vector = np.concatenate((written, meant))
        norm = float(np.linalg.norm(joined))
        if norm:
            joined /= np.float32(norm)
        return joined


async def by_model(text: str, ask: Ask) -> Read:
    """What a language model makes of the text, as its worker tells it (`model/embed`)."""
    import numpy as np

    embedded = await ask(Embed(texts=[text]))
    origin = f"{embedded.version}/{embedded.adapter or 'own'}"
    return Read(np.frombuffer(embedded.vectors, "<f4"), origin, embedded.base or embedded.version)
