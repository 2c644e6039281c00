import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nodes.speaker.pronunciation import speakable


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("342 + 107 = 449.", "342 plus 107 equals 449."),
        ("5-3=2", "5 minus 3 equals 2"),
        ("it is -4 °C, 90% sure", "it is minus 4 degrees Celsius, 90 percent sure"),
        ("80 km/h for 5 km", "80 kilometres per hour for 5 kilometres"),
        ("at 14:05, 9:30 and 12:00", "at 14 oh 5, 9 30 and 12 o'clock"),
        ("**Well**, `this` is *it*", "Well, this is it"),
        ("# Title\n- one\n- two", "Title one two"),
        ("see [the page](http://example.org/x)", "see the page"),
        ("fruit, e.g. apples, etc.", "fruit, for example apples, and so on"),
        ("done<|im_end|>", "done"),
        ("a well-known cat", "a well-known cat"),
        ("plain words stay.", "plain words stay."),
    ],
)
def test_text_is_read_as_a_person_would_read_it(text, read):
    assert speakable(text) == read


@settings(deadline=None)
@given(st.text(max_size=80))
def test_any_text_can_be_read_and_is_one_line(text):
    read = speakable(text)
    assert read == " ".join(read.split())
