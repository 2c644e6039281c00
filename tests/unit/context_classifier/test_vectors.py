"""Text as vectors: deterministic, of unit length, near where words are shared."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodes.context_classifier.vectors import DIMENSIONS, Rarity, affirmed, denies, encode, similarity, tokens

EVEN = np.ones(DIMENSIONS, dtype=np.float32)


@given(st.text(max_size=200))
def test_every_text_has_a_vector_of_unit_length_or_none_at_all(text: str) -> None:
    vector = encode(text)
    assert vector.shape == (DIMENSIONS,)
    assert vector.dtype == np.float32
    norm = float(np.linalg.norm(vector))
    assert norm == pytest.approx(1, abs=1e-5) or norm == 0
    assert (norm == 0) == (not tokens(text))


def test_numbers_do_not_tell_questions_apart() -> None:
    assert np.array_equal(encode("what is 12 plus 30"), encode("What is seven plus NINE?"))


def test_shared_words_are_nearer_than_none() -> None:
    where = encode("where is the cup")
    assert similarity(where, encode("where is the book"), EVEN) > 0.5
    assert similarity(where, encode("sort those words"), EVEN) < 0.2


def test_inflections_are_nearer_than_strangers() -> None:
    opened = encode("opened")
    assert similarity(opened, encode("opening"), EVEN) > similarity(opened, encode("blue"), EVEN) + 0.05


def test_the_empty_text_is_like_nothing() -> None:
    assert similarity(encode(""), encode("cup"), EVEN) == 0


def test_what_is_in_every_text_weighs_least() -> None:
    rarity = Rarity()
    for word in ("cup", "book", "lamp", "door", "key"):
        rarity.observe(encode(f"the {word}"))
    weights = rarity.weights()
    assert weights.min() == pytest.approx(1)
    assert similarity(encode("the cup"), encode("the book"), weights) < similarity(
        encode("the cup"), encode("the book"), EVEN
    )


def test_denial_is_an_odd_number_of_negations() -> None:
    assert denies("the door is not open")
    assert denies("The door isn’t open.")
    assert not denies("the door is open")
    assert not denies("it is not so that nobody came")
    assert affirmed("the door is not open") == affirmed("the door is open")
