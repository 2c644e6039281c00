import pytest

from nodes.audio_sensor.errors import UnknownWords
from nodes.audio_sensor.lexicon import dictionary_lines, pronounce, read_dictionary, words_of


@pytest.fixture
def dictionary(tmp_path):
    path = tmp_path / "all.dict"
    path.write_text("a AH\na(2) EY\nkitchen K IH CH AH N\nwhat's W AH T S\n")
    return path


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("What's the time?", ["what's", "the", "time"]),
        ("it’s a well-known thing,", ["it's", "a", "well", "known", "thing"]),
        ("add 42 and 1.5", ["add", "42", "and", "1.5"]),
        ("...", []),
    ],
)
def test_words_are_written_as_the_dictionary_writes_them(line, words):
    assert words_of(line) == words


def test_only_the_words_that_are_needed_are_taken_with_all_their_variants(dictionary):
    assert pronounce(["a", "what's", "a"], dictionary, {}) == {"a": ["AH", "EY"], "what's": ["W AH T S"]}


def test_pronunciations_of_ones_own_come_first(dictionary):
    found = pronounce(["a", "jetson"], dictionary, {"jetson": "JH EH T S AH N", "a": "EY", "unused": "AH"})
    assert found == {"a": ["EY", "AH"], "jetson": ["JH EH T S AH N"]}


def test_all_unknown_words_are_listed(dictionary):
    with pytest.raises(UnknownWords, match="42, blorf") as refused:
        pronounce(["blorf", "a", "42"], dictionary, {})
    assert refused.value.detail["words"] == ["42", "blorf"]
    assert "configs/voice.yaml" in refused.value.remedy


def test_a_dictionary_written_is_a_dictionary_read():
    lines = dictionary_lines({"the": ["DH AH", "DH IY"], "a": ["AH"]})
    assert lines == ["a AH", "the DH AH", "the(2) DH IY"]
    assert read_dictionary(lines) == {"a": "AH", "the": "DH AH", "the(2)": "DH IY"}
