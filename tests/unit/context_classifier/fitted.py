"""A small fit, and a stand-in for a model that reads texts: what it makes of a text hangs on the text alone."""

from __future__ import annotations

import hashlib

import numpy as np

from nodes.context_classifier.awaited import Ask, Awaited, Read
from nodes.context_classifier.classify import Questions
from nodes.context_classifier.encoder import Hashed
from nodes.context_classifier.fits import Fit
from protocol.messages.model import Embed, Embedded

WIDTH, DIMENSIONS = 6, 4


def fit(encoder: str = "model", base: str = "base", width: int = WIDTH) -> Fit:
    random = np.random.default_rng(0)
    return Fit(
        encoder=encoder,
        made="for tests",
        questions=Questions(),
        base=base,
        share=0.5,
        mean=np.full(width, 0.1, dtype="<f4").tobytes(),
        axes=random.normal(size=(DIMENSIONS, width)).astype("<f2").tobytes(),
    )


def vector(text: str, width: int = WIDTH) -> np.ndarray:
    seed = int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "little")
    return np.random.default_rng(seed).normal(size=width).astype("<f4")


class Worker:
    """Answers `Embed` as a model worker does."""

    def __init__(self) -> None:
        self.version, self.adapter, self.base = "v1", "", "base"
        self.asked: list[Embed] = []
        self.fails: Exception | None = None

    async def embed(self, request: Embed) -> Embedded:
        self.asked.append(request)
        if self.fails is not None:
            raise self.fails
        (text,) = request.texts
        return Embedded(
            vectors=vector(text).tobytes(),
            dimensions=WIDTH,
            tokens=[1],
            version=self.version,
            adapter=self.adapter,
            base=self.base,
        )


async def read(text: str, _ask: Ask) -> Read:
    return Read(vector(text), "o", "base")


def awaited() -> Awaited:
    return Awaited("model", read, Hashed(), fit())
