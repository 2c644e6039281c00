import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nodes.speaker.sentences import LONGEST, Sentences


def split(*parts):
    sentences = Sentences()
    return [one for part in parts for one in sentences.feed(part)] + sentences.finish()


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("It is late. Go to bed!", ["It is late.", "Go to bed!"]),
        ("Really?! Yes… Fine.", ["Really?!", "Yes…", "Fine."]),
        ('He said "stop." Then he left.', ['He said "stop."', "Then he left."]),
        ("Pi is 3.14 or so. The end", ["Pi is 3.14 or so.", "The end"]),
        ("Dr. Smith met J. Doe, e.g. here. Good.", ["Dr. Smith met J. Doe, e.g. here.", "Good."]),
        ("No. It was I. Yes.", ["No.", "It was I.", "Yes."]),
        ("first line\nsecond line", ["first line", "second line"]),
        ("the cup is in the hall .", ["the cup is in the hall ."]),
        ("... !? \n\n", []),
        ("", []),
    ],
)
def test_a_sentence_ends_where_a_reader_would_end_it(text, sentences):
    assert split(text) == sentences
    assert split(*text) == sentences, "letter by letter"


def test_a_sentence_is_given_out_as_soon_as_its_end_is_certain():
    sentences = Sentences()
    assert sentences.feed("It is five.") == [], "it may go on: 5.30"
    assert sentences.feed(" You") == ["It is five."]
    assert sentences.finish() == ["You"]


def test_what_never_ends_is_spoken_in_pieces_cut_at_pauses():
    text = ", ".join(f"number {n} of a very long list" for n in range(40))
    pieces = split(text)
    assert all(len(piece) <= LONGEST for piece in pieces)
    assert all(piece.endswith(",") for piece in pieces[:-1])
    assert " ".join(pieces) == text
    assert max(map(len, split("x" * 1000))) <= LONGEST


@settings(deadline=None)
@given(parts=st.lists(st.text(alphabet="ab .!?\nDr1,", max_size=20), max_size=20))
def test_no_word_is_lost_or_doubled_however_the_text_arrives(parts):
    def words(text):
        return "".join(character for character in text if character.isalnum())

    spoken = split(*parts)
    assert words("".join(spoken)) == words("".join(parts))
    assert spoken == split("".join(parts))
