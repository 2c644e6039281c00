"""Energy says how much speaks against an answer; it is never scheduled."""

from hypothesis import given
from hypothesis import strategies as st

from nodes.dialogue.irp.energy import best, energy
from nodes.dialogue.irp.state import Reply

REPLIES = st.lists(
    st.builds(
        Reply,
        text=st.sampled_from(["four", "five", "six"]),
        confidence=st.floats(0, 1),
        level=st.sampled_from(["sensory", "tactical", "specialized"]),
    ),
    max_size=6,
)


def test_one_answer_is_as_surprising_as_its_level_is_unsure() -> None:
    assert energy("four", [Reply("four", 0.75, "sensory")]) == 0.25


def test_levels_that_agree_are_less_surprising_than_the_surest_of_them() -> None:
    replies = [Reply("Four.", 0.75, "sensory"), Reply("four", 0.8, "tactical")]
    assert energy("four", replies) < 0.2


def test_a_level_that_says_the_same_again_adds_nothing() -> None:
    once = [Reply("four", 0.75, "sensory")]
    assert energy("four", [*once, Reply("four", 0.75, "sensory", retry=True)]) == energy("four", once)


def test_a_level_that_is_surer_of_what_it_reads_it_said_is_not_believed_more() -> None:
    once = [Reply("four", 0.7, "specialized")]
    assert energy("four", [*once, Reply("four", 0.95, "specialized", retry=True)]) == energy("four", once)
    assert energy("four", [*once, Reply("four", 0.5, "specialized", retry=True)]) > energy("four", once)


def test_a_sure_voice_for_another_answer_is_surprising() -> None:
    mine = Reply("four", 0.9, "tactical")
    assert energy("four", [Reply("five", 0.9, "sensory"), mine]) > energy("four", [Reply("five", 0.2, "sensory"), mine])


def test_nobody_gave_it() -> None:
    assert energy("six", [Reply("four", 0.9, "sensory")]) == 1.0
    assert energy("", []) == 1.0
    assert energy("?", [Reply("?", 0.9, "sensory")]) == 1.0


def test_the_tasks_own_verifier_outweighs_confidence() -> None:
    assert energy("four", [Reply("four", 0.99, "sensory", verified=0.0)]) > 0.9
    assert energy("four", [Reply("four", 0.1, "sensory", verified=1.0)]) < 0.1


@given(REPLIES)
def test_energy_is_bounded_and_does_not_depend_on_when_an_answer_came(replies: list[Reply]) -> None:
    last = {(reply.key, reply.level): reply for reply in replies}
    ordered = sorted(last.values(), key=lambda reply: (reply.level, reply.key))
    for text in ("four", "five", "six"):
        value = energy(text, ordered)
        assert 0 <= value <= 1
        assert abs(value - energy(text, ordered[::-1])) < 1e-12


@given(REPLIES)
def test_the_best_answer_is_one_that_was_given_and_no_other_has_less_energy(replies: list[Reply]) -> None:
    text, value = best(replies)
    assert value <= min((energy(reply.text, replies) for reply in replies), default=1.0)
    assert not text or text in {reply.text for reply in replies}
