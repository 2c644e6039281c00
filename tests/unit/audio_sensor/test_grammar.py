import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nodes.audio_sensor.grammar import jsgf, phone_distance, too_drawn_out

PHONES = st.lists(st.sampled_from(["AH", "B", "K", "S"]), max_size=8)


def test_the_grammar_has_each_phrase_once_and_whole():
    assert jsgf(["Stop!", "what time is it", "stop", "..."]) == (
        "#JSGF V1.0;\ngrammar commands;\npublic <command> =\n      stop\n    | what time is it\n    ;\n"
    )


def test_a_grammar_without_a_word_is_refused():
    with pytest.raises(ValueError, match="at least one phrase"):
        jsgf(["?"])


@pytest.mark.parametrize(
    ("expected", "heard", "distance"),
    [("S T AA P", "S T AA P", 0), ("S T AA P", "T AA P", 0.25), ("S T AA P", "", 1), ("", "", 0), ("S", "T AA P K", 1)],
)
def test_distance_counts_what_differs(expected, heard, distance):
    assert phone_distance(expected.split(), heard.split()) == distance


@settings(deadline=None)
@given(PHONES, PHONES)
def test_distance_is_symmetric_and_between_none_and_all(a, b):
    assert phone_distance(a, b) == phone_distance(b, a)
    assert 0 <= phone_distance(a, b) <= 1
    assert (phone_distance(a, b) == 0) == (a == b)


def test_nobody_takes_five_seconds_for_what_time_is_it():
    assert too_drawn_out(phones=10, seconds=5)
    assert not too_drawn_out(phones=10, seconds=1.6)
    assert not too_drawn_out(phones=4, seconds=1.4)
