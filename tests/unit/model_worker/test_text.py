"""A decoder of raw bytes stands for every tokenizer that cuts characters apart."""

import pytest

from nodes.model_worker.text import Pieces, StopTexts, TextStream


def decode(ids: list[int]) -> str:
    return bytes(ids).decode(errors="replace")


def decode_dropping_first_space(ids: list[int]) -> str:
    """As SentencePiece decoders do."""
    return decode(ids).removeprefix(" ")


def test_a_character_is_handed_out_whole() -> None:
    pieces = Pieces(decode)
    assert [pieces.push(byte) for byte in "é😀".encode()] == ["", "é", "", "", "", "😀"]


def test_an_unfinished_character_shows_as_replacement_at_the_end() -> None:
    pieces = Pieces(decode)
    assert [pieces.push(byte) for byte in b"a\xf0\x9f"] == ["a", "", ""]
    assert pieces.finish() == "\ufffd"
    assert pieces.finish() == ""


def test_no_space_is_lost_between_words() -> None:
    pieces = Pieces(decode_dropping_first_space)
    assert "".join(pieces.push(byte) for byte in b" so it is") == "so it is"


def test_text_before_a_stop_text_is_let_through_and_nothing_after() -> None:
    stops = StopTexts(["END"])
    assert [stops.push(piece) for piece in ("a E", "N", "x EN", "D and more", "!")] == ["a ", "", "ENx ", "", ""]
    assert stops.met


def test_what_was_held_back_in_vain_comes_at_the_end() -> None:
    stops = StopTexts(["\n\n"])
    assert stops.push("a\n") == "a"
    assert stops.finish() == "\n"
    assert not stops.met


@pytest.mark.parametrize(
    ("stop", "text"),
    [
        (["cd", "b"], "a"),
        (["abc", "b"], "a"),
        (["ab", "b"], ""),
        (["abcdef"], "abcde"),
        ([""], "abcde"),
        (["aab"], "abcde"),
    ],
)
def test_the_stop_text_that_is_complete_first_ends_the_stream(stop: list[str], text: str) -> None:
    stream = TextStream(decode, stop)
    pieces = [stream.push(byte) for byte in b"abcde"]
    assert "".join(pieces) + stream.finish() == stream.text == text


def test_a_stop_text_that_repeats_its_beginning_is_found() -> None:
    stops = StopTexts(["aab"])
    assert "".join(stops.push(letter) for letter in "aaab") == "a"
    assert stops.met
