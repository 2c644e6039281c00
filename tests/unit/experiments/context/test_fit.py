"""What brings the vectors of a model to one scale, and the weights found on it."""

from __future__ import annotations

import hashlib
from statistics import median

import numpy as np
import pytest

from experiments.context.dialogues import Dialogue, dialogues
from experiments.context.fit import DIMENSIONS, prepared, scaled, weights
from experiments.context.reading import texts
from experiments.context.split import Side
from experiments.reference.family import WEIGHTS
from nodes.context_classifier import encoder, fits
from nodes.context_classifier.awaited import Read
from nodes.context_classifier.classify import Questions
from nodes.context_classifier.encoder import Choice
from nodes.context_classifier.memory import Limits
from nodes.context_classifier.vectors import similarity
from nodes.model_worker.folder import open_folder, weights_digest

WIDTH = 80


def crowded(text: str) -> np.ndarray:
    """A vector [WIDTH] that points where all of them point, as those of language models do."""
    seed = int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "little")
    own = np.random.default_rng(seed).normal(size=WIDTH)
    return (own * np.linspace(2, 0.1, WIDTH) + 10).astype("<f4")


@pytest.fixture(scope="module")
def few() -> list[Dialogue]:
    return dialogues(Side.TUNING, 3, 16)


@pytest.fixture(scope="module")
def reads(few: list[Dialogue]) -> dict[str, Read]:
    return {text: Read(crowded(text), "origin", "base") for text in texts(few)}


def test_texts_that_have_nothing_in_common_are_no_longer_near(reads: dict[str, Read]) -> None:
    fit = scaled("model", "here", reads)
    assert (fit.width, fit.dimensions, fit.base) == (WIDTH, DIMENSIONS, "base")
    some = [one.vector for one in reads.values()][:60]
    pairs = [(one, other) for one in some for other in some if one is not other]
    assert median(similarity(*pair) for pair in pairs) > 0.9
    assert abs(median(float(fit.scaled(one) @ fit.scaled(other)) for one, other in pairs)) < 0.05


def test_weights_are_found_for_an_encoder_whose_texts_were_read_before(
    few: list[Dialogue], reads: dict[str, Read]
) -> None:
    fit = scaled("model", "here", reads)
    found = weights(few, prepared(Choice(), fit, reads), Limits())
    assert found != Questions()
    assert found.conflict.contradiction > 0


def test_the_fits_that_ship_are_those_of_what_ships() -> None:
    assert fits.load("model").base == weights_digest(open_folder(WEIGHTS / "sensory"))
    assert encoder.chosen(Choice(name="model")).dimensions == encoder.Hashed.dimensions + fits.load("model").dimensions
    assert fits.load("hashed").encoder == "hashed"
