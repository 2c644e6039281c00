import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nodes.audio_sensor.language_model import BACKOFF, BEGIN, END, arpa, trigrams

SENTENCES = st.lists(st.lists(st.sampled_from("abcd"), min_size=1, max_size=5), min_size=1, max_size=8)


@settings(deadline=None)
@given(sentences=SENTENCES, history=st.lists(st.sampled_from(["a", "b", "c", "d", BEGIN]), max_size=3))
def test_after_every_history_the_probabilities_sum_to_one(sentences, history):
    model = trigrams(sentences)
    vocabulary = {word for sentence in sentences for word in sentence} | {END}
    assert sum(model.probability(word, tuple(history)) for word in vocabulary) == pytest.approx(1)


def test_what_was_seen_is_likelier_than_what_was_not():
    model = trigrams([["open", "the", "door"], ["open", "the", "door"], ["close", "the", "window"]])
    assert model.probability("door", ("open", "the")) > model.probability("window", ("open", "the")) > 0
    assert model.probability("elephant", ("open", "the")) == 0


def test_the_estimate_is_witten_bells_with_a_weight_on_the_shorter_history():
    # c(a)=2, T(a)=2 (b, end); unigrams: c=5 over a a b </s> </s>, T=3, V=3
    model = trigrams([["a", "b"], ["a"]])
    unigram = (1 + BACKOFF * 3 / 3) / (5 + BACKOFF * 3)
    assert model.probability("b") == pytest.approx(unigram)
    assert model.probability("b", ("a",)) == pytest.approx((1 + BACKOFF * 2 * unigram) / (2 + BACKOFF * 2))


def test_the_file_says_what_the_model_says():
    model = trigrams([["a", "b"], ["a"]])
    lines = list(arpa(model))
    assert lines[0] == "\\data\\"
    assert lines[-1] == "\\end\\"
    counts = {line.split("=")[0]: int(line.split("=")[1]) for line in lines if line.startswith("ngram")}
    begins = {f"ngram {order}": lines.index(f"\\{order}-grams:") for order in (1, 2, 3)}
    for name, begin in begins.items():
        assert lines[begin + counts[name] + 1] == "", f"{name} lists as many as it says"
    entries = {fields[1]: fields for line in lines if len(fields := line.split("\t")) > 1}
    assert 10 ** float(entries["a b"][0]) == pytest.approx(model.probability("b", ("a",)), rel=1e-4)
    assert 10 ** float(entries["a"][2]) == pytest.approx(model.backoffs[("a",)], rel=1e-4)
    assert entries[BEGIN][0] == "-99.00000"


def test_no_word_is_no_model():
    with pytest.raises(ValueError, match="at least one sentence"):
        trigrams([[]])
