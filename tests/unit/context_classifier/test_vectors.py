"""Text as hashed features: deterministic, of unit length, near where words are shared."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodes.context_classifier.vectors import DIMENSIONS, hashed, similarity, tokens


def encode(text: str):
    return hashed(tokens(text))


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
    assert similarity(where, encode("where is the book")) > similarity(where, encode("sort those words")) + 0.2


def test_inflections_are_nearer_than_strangers() -> None:
    opened = encode("opened")
    assert similarity(opened, encode("opening")) > similarity(opened, encode("blue")) + 0.05


def test_the_empty_text_is_like_nothing() -> None:
    assert similarity(encode(""), encode("cup")) == 0


def test_small_words_count_less_than_those_with_a_subject() -> None:
    assert similarity(encode("in the garden"), encode("on my garden")) > similarity(
        encode("in the garden"), encode("in the kitchen")
    )
