"""Patterns answer exactly their phrases, and nothing that only resembles one."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.patterns.sentences import by_hand, of_the_curriculum, varied
from nodes.dialogue.patterns import load, normalised, phrases, sentences
from nodes.dialogue.patterns.slots import Clock
from protocol.errors import ConfigError

SHIPPED = load()
HAND = by_hand()


def answered_by(text: str) -> str:
    found = SHIPPED.match(text)
    return found.name if found else ""


def test_of_the_trap_set_only_what_is_meant_is_answered_and_all_of_it() -> None:
    sentences = [*HAND, *varied(HAND)]
    misses = [sentence for sentence in HAND if not sentence.pattern]
    assert len(HAND) >= 300
    assert len(misses) >= len(HAND) / 2
    assert not [(one, answered_by(one.text)) for one in sentences if answered_by(one.text) != one.pattern]


def test_no_question_of_the_curriculum_is_taken_from_the_models() -> None:
    assert not [one for one in of_the_curriculum(seed=1, count=4) if answered_by(one.text)]


def test_every_phrase_is_caught_however_it_is_written() -> None:
    for pattern in SHIPPED.patterns:
        for phrase in pattern.phrases:
            if "{" in phrase:
                continue
            for written in (phrase, phrase.upper(), f"  {phrase.capitalize()}?! ", phrase.replace("'", "’")):
                assert answered_by(written) == pattern.name


@given(st.sampled_from(SHIPPED.phrases), st.text(alphabet="bcdfghjklmnqrstvwxz", min_size=1, max_size=8))
def test_a_phrase_with_a_word_before_or_after_is_another_sentence(phrase: str, word: str) -> None:
    for sentence in (f"{phrase} {word}", f"{word} {phrase}"):
        assert answered_by(sentence) == ""


def test_signs_that_change_the_sense_are_not_dropped() -> None:
    for text in ("stop()", "stop = 1", "print(hello)", "what time will it be in -5 minutes", "$status", "energy/help"):
        assert answered_by(text) == ""
    assert answered_by("Thanks! :)") == "thanks"
    assert answered_by("what time will it be in twenty-five minutes") == "time_ahead"


def test_nothing_is_no_pattern_and_a_long_text_is_none() -> None:
    for text in ("", "?!", "please", "sage please", "hello" + "!" * 10_000, "hello " * 1000):
        assert answered_by(text) == ""


def test_courtesy_may_surround_a_phrase_but_alone_it_is_none() -> None:
    assert answered_by("Hey Sage, what time is it, please?") == "time"
    assert answered_by("please sage") == ""


def test_what_stood_in_a_slot_is_known_by_its_value() -> None:
    for text, value in (("in 20 minutes", 20), ("in forty two minutes", 42)):
        found = SHIPPED.match(f"what time will it be {text}")
        assert found is not None
        assert found.captured["minutes"].value == value
    found = SHIPPED.match("how long until half past three pm")
    assert found is not None
    assert found.captured["clock"].value == Clock(15 * 60 + 30, 24 * 60)


def test_the_ears_get_every_sentence_once_and_each_is_answered() -> None:
    assert phrases() == SHIPPED.phrases
    assert "what time will it be in twenty minutes" in sentences()
    heard = [*phrases(), *sentences()]
    assert len(set(heard)) == len(heard)
    for phrase in heard:
        assert normalised(phrase) == phrase
        assert answered_by(phrase)


ONE = "{name: a, phrases: [hi], answer: b, positive: [hi], negative: [ho]}"


def write(folder: Path, text: str) -> Path:
    path = folder / "patterns.yaml"
    path.write_text(text)
    return path


def one(**changes: str) -> str:
    fields = {"name": "a", "phrases": "[hi]", "answer": "b", "positive": "[hi]", "negative": "[ho]", **changes}
    return "{" + ", ".join(f"{key}: {value}" for key, value in fields.items()) + "}"


@pytest.mark.parametrize(
    ("pattern", "complaint"),
    [
        (one(phrases="[Hello]"), "lower-case words"),
        (one(phrases="['hello  there']"), "single spaces"),
        (one(phrases="[hi, hi]"), "already belongs to a"),
        (one(phrases="['in {minuts}']"), "did you mean 'minutes'"),
        (one(phrases="['in {minutes} or {minutes}']"), "same slot twice"),
        (one(answer="'it is {tine}'"), "did you mean 'time'"),
        (one(answer="'it is {minutes}'"), "no live value or slot"),
        (one(answer="'it is {time:+five minutes}'"), "no slot 'five'"),
        (one(answer="'it is {until:minutes}'"), "no slot 'minutes'"),
        (one(answer="'it is {'"), "braces"),
        (one(name="''"), "name"),
        (one(positive="[ho]"), "positive example 'ho' is answered by no pattern"),
        (one(negative="[Hi!]"), "it answers the negative example 'Hi!'"),
        (one(negative="[]"), "negative"),
        ("{name: a, phrases: [hi], anser: b}", "did you mean 'answer'"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_its_place(tmp_path: Path, pattern: str, complaint: str) -> None:
    text = f"slots: {{minutes: {{kind: number, most: 5}}}}\npatterns: [{pattern}]\n"
    with pytest.raises(ConfigError) as caught:
        load(write(tmp_path, text))
    assert complaint in str(caught.value)
    assert "patterns.yaml" in str(caught.value)


@pytest.mark.parametrize(
    ("slots", "complaint"),
    [
        ("{time: {kind: time}}", "name of a live value"),
        ("{n: {kind: number, least: 5, most: 4}}", "no number lies between"),
        ("{n: {kind: words, words: []}}", "needs one at least"),
        ("{n: {kind: numbr}}", "did you mean 'number'"),
        ("{Day: {kind: time}}", "lower-case letters"),
    ],
)
def test_a_slot_that_cannot_be_meant_is_refused(tmp_path: Path, slots: str, complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        load(write(tmp_path, f"slots: {slots}\npatterns: [{ONE}]\n"))


def test_more_than_the_ears_can_expect_is_refused_unless_they_need_not(tmp_path: Path) -> None:
    wide = one(phrases="[hi, 'from {n} to {m}']")
    slots = "slots: {n: {kind: number, most: 99}, m: {kind: number, most: 99}}\n"
    with pytest.raises(ConfigError, match="heard: false"):
        load(write(tmp_path, f"{slots}patterns: [{wide}]\n"))
    loaded = load(write(tmp_path, f"{slots}patterns: [{wide[:-1]}, heard: false}}]\n"))
    assert loaded.phrases == []
    assert 0 < len(loaded.sentences) < 1000
    assert loaded.match("from 7 to ninety nine") is not None


def test_a_sentence_that_two_patterns_would_answer_is_refused(tmp_path: Path) -> None:
    slots = "slots: {day: {kind: words, words: [today, tomorrow]}}\n"
    other = one(name="c", phrases="['what is {day}']", positive="[what is tomorrow]")
    first = one(phrases="[what is today]", positive="[what is today]")
    with pytest.raises(ConfigError, match="what is today"):
        load(write(tmp_path, f"{slots}patterns: [{first}, {other}]\n"))


def test_a_file_of_one_pattern_is_enough(tmp_path: Path) -> None:
    loaded = load(write(tmp_path, f"patterns: [{ONE}]\n"))
    found = loaded.match("Hi!")
    assert found is not None
    assert found.name == "a"
