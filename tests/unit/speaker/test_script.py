from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from nodes.speaker.script import Lines, Script


def test_sentences_come_as_the_reply_is_made():
    script = Script()
    assert script.part(0, "It is la") == Lines([])
    assert script.part(1, "te. Go to") == Lines(["It is late."])
    assert script.complete("It is late. Go to bed.") == Lines(["Go to bed."])


def test_a_reply_without_parts_is_said_whole():
    assert Script().complete("Hello. It is five.") == Lines(["Hello.", "It is five."])


def test_a_withdrawn_reply_begins_anew():
    script = Script()
    script.part(0, "It is three. No")
    assert script.part(1, "It is four. Sure", restart=True) == Lines(["It is four."], anew=True)
    assert script.complete("It is four. Surely.") == Lines(["Surely."])


def test_behind_a_lost_part_nothing_is_said_until_the_whole_is_known():
    script = Script()
    assert script.part(0, "It is late. ") == Lines(["It is late."])
    assert script.part(2, "now. Good night. ") == Lines([])
    assert script.complete("It is late. Sleep now. Good night.") == Lines(["Sleep now.", "Good night."])


def test_a_lost_part_before_a_new_beginning_does_not_matter():
    script = Script()
    script.part(0, "It is ")
    assert script.part(3, "Four. I am", restart=True) == Lines(["Four."], anew=True)
    assert script.complete("Four. I am sure.") == Lines(["I am sure."])


def test_a_part_that_comes_twice_is_said_once():
    script = Script()
    script.part(0, "One. ")
    assert script.part(0, "One. ") == Lines([])
    assert script.complete("One.") == Lines([])


def test_another_text_in_the_end_than_on_the_way_is_what_counts():
    script = Script()
    assert script.part(0, "It is three. ") == Lines(["It is three."])
    assert script.complete("I do not know.") == Lines(["I do not know."], anew=True)


@settings(deadline=None)
@given(
    sentences=st.lists(st.sampled_from(["It is late.", "Go!", "why not?", "fine"]), min_size=1, max_size=5),
    cuts=st.lists(st.integers(0, 60), max_size=8),
    lost=st.sets(st.integers(0, 8)),
)
def test_whatever_parts_arrive_all_of_the_reply_is_said_once_and_in_order(sentences, cuts, lost):
    text = " ".join(sentences)
    edges = sorted({0, len(text), *(cut for cut in cuts if cut < len(text))})
    script, said = Script(), []
    for index, (begin, end) in enumerate(pairwise(edges)):
        if index not in lost:
            said += script.part(index, text[begin:end]).sentences
    lines = script.complete(text)
    said = lines.sentences if lines.anew else said + lines.sentences
    assert " ".join(said) == text
