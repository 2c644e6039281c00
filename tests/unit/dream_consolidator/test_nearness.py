from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodes.dream_consolidator.collector.nearness import Form, alike, bands, form, words
from protocol.messages.model import ChatMessage

UNHEARD = frozenset(["a", "the", "please", "um"])
SECRET = b"s" * 32
STORY = (
    "Eva came home late in the evening and put her keys on the small table beside the door, as she always did. "
    "Then she made tea, fed the cat, read two letters from her brother and watered the plants in the kitchen. "
)


def said(question: str, answer: str = "yes", *before: str) -> Form:
    roles = ("user", "assistant")
    turns = [ChatMessage(role=roles[place % 2], content=content) for place, content in enumerate(before)]
    return form([*turns, ChatMessage(role="user", content=question)], answer, UNHEARD)


def same(first: Form, second: Form) -> bool:
    """As the store finds it: a band in common, then their words."""
    return bool(set(bands(first, SECRET)) & set(bands(second, SECRET))) and alike(first, second, 0.8)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("What is 17 plus 25?", "what's 17 plus 25"),
        ("um, where is the cup", "Where is a cup, please?"),
        (STORY + "Where are the keys?", STORY.replace("late in", "early in") + "Where are the keys?"),
        ("It isn't warm. Why?", "It is not warm! Why?"),
    ],
)
def test_the_same_in_nearly_the_same_words_is_one(first: str, second: str) -> None:
    assert same(said(first), said(second))


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("what is 17 plus 25?", "what is 17 plus 26?"),
        ("what is 17 plus 25?", "what is 17 minus 25?"),
        ("what is 5 + 3", "what is 5 - 3"),
        ("is 3.5 more than 3", "is 35 more than 3"),
        ("what is seventeen plus two", "what is seventeen plus three"),
        ("is Tom taller than Eva", "is Eva taller than Tom"),
        ("is it open", "is it not open"),
        ("who works for Eva", "who works for Ben"),
        (STORY + "Where are the keys?", STORY + "Where are the plants?"),
        (STORY + "Where are the keys?", STORY.replace("two letters", "three letters") + "Where are the keys?"),
        (STORY + "Where are the keys?", STORY.replace("she always did", "she never did") + "Where are the keys?"),
        (STORY + "It is 12. Where are the keys?", STORY + "It is 13. Where are the keys?"),
    ],
)
def test_what_asks_something_else_is_another_however_much_stands_around_it(first: str, second: str) -> None:
    assert not same(said(first), said(second))


def test_another_answer_or_another_conversation_before_it_is_another_exchange() -> None:
    assert not same(said("where is it?", "in the hall"), said("where is it?", "in the garden"))
    assert not same(said("where is it?", "there", "the cup", "yes?"), said("where is it?", "there", "the ball", "yes?"))
    assert not same(said("where is it?", "there"), said("where is it?", "there", "the cup", "yes?"))


def test_what_is_not_heard_counts_where_nothing_else_is_said() -> None:
    assert words("The...", UNHEARD) == ("the",)
    assert not same(said("the"), said("please"))


vocabulary = st.sampled_from([f"w{letter}" for letter in "abcdefghijklmnopqrstuvwxyz"])
texts = st.lists(vocabulary, min_size=1, max_size=40).map(" ".join)


@given(texts, texts)
def test_being_alike_is_mutual_and_what_is_alike_asks_the_same(first: str, second: str) -> None:
    one, other = said(first), said(second)
    assert alike(one, one, 1.0)
    assert alike(one, other, 0.8) == alike(other, one, 0.8)
    assert not alike(one, other, 0.8) or one.asked == other.asked


def test_bands_miss_hardly_any_that_are_alike() -> None:
    random, pairs, missed = Random(1), 0, 0
    while pairs < 200:
        base = random.choices("abcdefghijklmnopqrstuvwxyz", k=60)
        changed = [*base[:20], random.choice("0xyz"), *base[21:], *random.choices("xyz", k=random.randrange(6))]
        one, other = said(" ".join(base) + ". why?"), said(" ".join(changed) + ". why?")
        if alike(one, other, 0.8):
            pairs += 1
            missed += not set(bands(one, SECRET)) & set(bands(other, SECRET))
    assert missed <= 3, "1.5% would be missed if all had just 0.8 in common"


def test_bands_tell_nothing_without_the_secret() -> None:
    assert not set(bands(said("hello"), SECRET)) & set(bands(said("hello"), b"t" * 32))
