"""A conversation stays within its limits, and its beginning stays as it is for as long as it can."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from nodes.dialogue.conversation import Conversation, ConversationLimits, asking, extended, shortened

WIDE = ConversationLimits(turns=100, characters=100_000)


def conversation(turns: int) -> Conversation:
    made = Conversation()
    for number in range(turns):
        made = extended(made, f"q{number}", f"a{number}", "sensory", WIDE)
    return made


def test_a_model_is_given_what_was_said_before_and_the_question() -> None:
    given = asking(conversation(1), "next", system="be brief")
    assert [(message.role, message.content) for message in given] == [
        ("system", "be brief"),
        ("user", "q0"),
        ("assistant", "a0"),
        ("user", "next"),
    ]
    assert len(asking(Conversation(), "next")) == 1


def test_the_level_that_answered_last_is_known() -> None:
    assert extended(Conversation(), "q", "a", "tactical", WIDE).level == "tactical"


def test_over_the_limit_the_older_half_goes_at_once_so_that_beginnings_last() -> None:
    limits = ConversationLimits(turns=8, characters=10_000)
    made = Conversation()
    beginnings = []
    for number in range(40):
        made = extended(made, f"q{number}", f"a{number}", "sensory", limits)
        beginnings.append(made.messages[0].content)
    changes = sum(one != other for one, other in pairwise(beginnings))
    assert changes <= 40 / 4


def test_a_turn_too_long_for_the_limits_leaves_nothing_rather_than_too_much() -> None:
    assert not extended(conversation(3), "x" * 50, "y", "sensory", ConversationLimits(turns=9, characters=40)).messages


def test_shortening_ends() -> None:
    made = conversation(5)
    lengths = []
    while made.messages:
        made = shortened(made)
        lengths.append(len(made.messages))
    assert lengths == [4, 2, 0]
    assert shortened(made) == made


@given(
    st.lists(st.tuples(st.text(max_size=30), st.text(max_size=30)), max_size=30),
    st.integers(0, 6),
    st.integers(0, 100),
)
def test_it_never_exceeds_its_limits_and_always_ends_with_what_was_said_last(
    turns: list[tuple[str, str]], most: int, characters: int
) -> None:
    limits = ConversationLimits(turns=most, characters=characters)
    made = Conversation()
    for question, answer in turns:
        made = extended(made, question, answer, "sensory", limits)
        assert len(made.messages) <= 2 * most
        assert sum(len(message.content) for message in made.messages) <= characters
        assert len(made.messages) % 2 == 0
        if made.messages:
            assert [message.content for message in made.messages[-2:]] == [question, answer]
