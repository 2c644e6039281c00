"""Patterns answer exactly their phrases, and nothing that only resembles one."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodes.dialogue.patterns import Patterns, fill, load, normalised, phrases
from protocol.errors import ConfigError

SHIPPED = load()

TRAPS = """
hello world program
write a hello world program
say hello to tom
hello how do i sort a list
hi what is three plus four
hey where is the cup
good morning in french
is it a good morning
what does goodbye mean
who said good night to eva
thanks but that answer is wrong
thank you for nothing that was wrong
who should i thank for the book
thanks for what
what time is the train
what time is it in paris
what time is it twenty minutes after three
what is the time of the meeting
what time was it then
what is the time between three and five
tell me the time in seconds
what is the date of easter
what day is it tomorrow
what day is it if yesterday was monday
who are you talking about
who are you working for
what are you doing there tom
what is your name for this function
what is the name of the cup
how are you supposed to sort this
how are you able to add
how are you and tom related
how do you feel about rust
what state is paris in
what state are you in favour of
are you awake at night usually
are you there when tom comes
what is the status of the order
status code four hundred and four
how much energy do you have to lift a stone of one kilo
how much energy is in a litre of oil
energy of a photon
help me sort these words
what can you do about this bug
stop words in english
stop the lamp from blinking
how do i stop it in python
cancel the second order
never mind the gap
check my code for bugs
is bye a word
the list
stop at three
hi five
hello hello
""".strip().splitlines()


@pytest.mark.parametrize("trap", TRAPS)
def test_a_near_miss_is_no_pattern(trap: str) -> None:
    assert SHIPPED.match(trap) is None


def test_every_phrase_is_caught_however_it_is_written() -> None:
    for pattern in SHIPPED.patterns:
        for phrase in pattern.phrases:
            for written in (phrase, phrase.upper(), f"  {phrase.capitalize()}?! ", phrase.replace("'", "’")):
                assert SHIPPED.match(written) is pattern


@given(st.sampled_from(SHIPPED.phrases), st.text(alphabet="abcdefghijklmnopqrstuvwxyz", min_size=1, max_size=8))
def test_a_phrase_with_a_word_before_or_after_is_another_sentence(phrase: str, word: str) -> None:
    for sentence in (f"{phrase} {word}", f"{word} {phrase}"):
        if sentence not in SHIPPED.phrases:
            assert SHIPPED.match(sentence) is None


def test_nothing_is_no_pattern() -> None:
    assert SHIPPED.match("") is None
    assert SHIPPED.match("?!") is None


def test_the_ears_get_every_phrase_once() -> None:
    assert phrases() == SHIPPED.phrases
    assert len(set(phrases())) == len(phrases())
    assert all(normalised(phrase) == phrase for phrase in phrases())


def test_an_answer_is_filled_with_live_values() -> None:
    assert fill("It is {time}.", {"time": "14:05"}) == "It is 14:05."
    assert fill("I am in {state}.", {}) == "I am in unknown."


def write(folder: Path, text: str) -> Path:
    path = folder / "patterns.yaml"
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("patterns: [{name: a, phrases: [Hello], answer: b}]", "lower-case words"),
        ("patterns: [{name: a, phrases: ['hello  there'], answer: b}]", "single spaces"),
        ("patterns: [{name: a, phrases: [hi, hi], answer: b}]", "already belongs to a"),
        ("patterns: [{name: a, phrases: [hi], answer: 'it is {tine}'}]", "did you mean 'time'"),
        ("patterns: [{name: a, phrases: [hi], answer: 'it is {'}]", "braces"),
        ("patterns: [{name: a, phrases: [hi], anser: b}]", "did you mean 'answer'"),
        ("patterns: [{name: '', phrases: [hi], answer: b}]", "name"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_its_place(tmp_path: Path, text: str, complaint: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(write(tmp_path, text))
    assert complaint in str(caught.value)


def test_a_file_of_one_pattern_is_enough(tmp_path: Path) -> None:
    loaded = load(write(tmp_path, "patterns:\n  - name: greeting\n    phrases: [hi]\n    answer: Hello.\n"))
    assert isinstance(loaded, Patterns)
    assert loaded.match("Hi!") is loaded.patterns[0]
