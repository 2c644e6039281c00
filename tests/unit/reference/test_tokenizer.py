import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from experiments.reference.batches import chatml
from experiments.reference.curriculum import Message, questions
from experiments.reference.skills import SKILLS
from experiments.reference.split import Split
from experiments.reference.tokenizer import END, START, STOP, build, words

TOKENIZER = build()
PIECES = ["the", "umbrella", "x", " ", "\n", "1", "é", "☃", "|>", ".", "'", "\t", "\r", "\0", START, STOP, END]


def tokens(text: str) -> list[str]:
    return TOKENIZER.encode(text, add_special_tokens=False).tokens


def back(text: str) -> str:
    return TOKENIZER.decode(TOKENIZER.encode(text, add_special_tokens=False).ids, skip_special_tokens=False)


@given(st.text())
def test_any_text_comes_back(text: str):
    assert back(text) == text


@settings(max_examples=300)
@given(st.lists(st.sampled_from(PIECES), max_size=10).map("".join))
def test_text_with_marks_spaces_and_line_breaks_comes_back(text: str):
    assert back(text) == text


@pytest.mark.parametrize("text", ["{}", "say {}", "one\n{}", f"{START}user\n{{}}", "{}.", "{}, then"])
def test_a_word_is_the_same_token_wherever_it_stands(text: str):
    assert "Ġumbrella" in tokens(text.format("umbrella"))


def test_a_digit_is_one_token():
    assert [token for token in tokens("what is 407 + 12") if token.isdigit()] == list("40712")


def test_a_prompt_is_a_prefix_of_the_prompt_with_its_answer():
    for answer in ("the umbrella", "42", "zebra"):
        prompt = f"{START}assistant\n"
        assert tokens(f"{prompt}{answer}{STOP}\n")[: len(tokens(prompt))] == tokens(prompt)


def test_every_question_and_answer_is_made_of_whole_words():
    for skill in SKILLS.values():
        for question in questions(Split.TRAIN, skill.name, skill.difficulties[-1], 3, 40):
            text = chatml([*question.messages, Message("assistant", question.answer)])
            loose = [token for token in tokens(text) if len(token) == 1 and token.isalpha() and token not in "ĠĊ"]
            assert not loose, (text, loose)


def test_the_vocabulary_is_small_and_holds_every_byte():
    assert len(words()) < 1500
    assert TOKENIZER.get_vocab_size() < 2000
    assert len(tokens("".join(map(chr, range(256))))) >= 256
