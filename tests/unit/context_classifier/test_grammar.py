"""What small words say of an utterance."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodes.context_classifier.grammar import clauses, read
from nodes.context_classifier.small_words import numbers_joined


@pytest.mark.parametrize(
    "text",
    [
        "where is the cup",
        "Is the cup in the hall?",
        "the cup is in the hall?",
        "please tell me who owns the piano",
        "sage are you awake",
        "the robot looks north and turns left where does it look",
        "do you remember where the cup is",
    ],
)
def test_questions_ask(text: str) -> None:
    assert read(text).asks
    assert not read(text).tells


@pytest.mark.parametrize(
    "text",
    [
        "the cup is in the hall",
        "remember that anna works for tom",
        "the laptop lies in the attic",
        "i put the cup in the hall",
        "nancy asked for the guitar",
        "it's in the kitchen",
        "the lamp should be at 20",
    ],
)
def test_statements_tell(text: str) -> None:
    assert read(text).tells


@pytest.mark.parametrize(
    "text", ["turn on the lamp in the kitchen", "sort 4 9 2", "the sum of 3 and 4", "count the words tiger lion", "may"]
)
def test_orders_and_fragments_neither_ask_nor_tell(text: str) -> None:
    assert not read(text).asks
    assert not read(text).tells


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("No, in the kitchen!", "in the kitchen"),
        ("sorry, i meant tuesday", "tuesday"),
        ("oh no kevin", "kevin"),
        ("that is wrong i put the cup in the hall", "i put the cup in the hall"),
        ("no", ""),
    ],
)
def test_what_announces_a_repair_is_set_aside(text: str, words: str) -> None:
    reading = read(text)
    assert reading.repairs
    assert " ".join(reading.words) == words


@pytest.mark.parametrize("text", ["now the cup is here", "nobody came", "north of the house", "oh what is this"])
def test_words_that_only_look_like_a_repair_are_none(text: str) -> None:
    assert not read(text).repairs


def test_denial_is_an_odd_number_of_negations() -> None:
    assert read("the door is not open").denies
    assert read("The door isn’t open.").denies
    assert not read("the door is open").denies
    assert not read("it is not so that nobody came").denies


def test_and_parts_statements_but_not_lists() -> None:
    assert len(clauses(read("the cup is in the hall and the book is in the attic").words)) == 2
    assert len(clauses(read("tom and anna would like the cup").words)) == 1


@pytest.mark.parametrize(
    ("spelled", "joined"),
    [
        ("thirty one years", "31 years"),
        ("three four five", "3 4 5"),
        ("one hundred two", "102"),
        ("nine hundred ninety nine", "999"),
        ("zero five", "0 5"),
        ("twenty ten", "20 10"),
        ("12 30", "12 30"),
    ],
)
def test_spelled_numbers_are_one_word(spelled: str, joined: str) -> None:
    assert " ".join(numbers_joined(spelled.split())) == joined


@given(st.text(max_size=200))
def test_anything_can_be_read(text: str) -> None:
    reading = read(text)
    assert not (reading.asks and reading.tells)
    assert reading.verb < max(1, len(reading.words))
