"""With one token per character and a template of brackets, where everything must lie can be read off."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pytest

from nodes.model_worker.kv.answers import Answers
from nodes.model_worker.rendering import Encoding, Span, locate, render
from protocol.messages.model import ChatMessage

Content = Callable[[str], str]


@dataclass
class Letters:
    content: Content = str
    offsets: bool = True

    def render(self, messages: Sequence[ChatMessage]) -> str:
        return "^" + "".join(f"<{m.role[0]}{self.content(m.content)}>" for m in messages) + "<a"

    def encode(self, text: str) -> Encoding:
        return Encoding([ord(letter) for letter in text], list(range(1, len(text) + 1)) if self.offsets else [])


def chat(*contents: str) -> list[ChatMessage]:
    return [ChatMessage(role=("user", "assistant")[i % 2], content=text) for i, text in enumerate(contents)]


def known(text: str, *ids: int) -> Answers:
    answers = Answers()
    answers.remember(text, ids)
    return answers


def test_without_earlier_answers_the_text_is_encoded_whole() -> None:
    rendered = render(chat("hi", "yo", "so"), Letters(), Answers(), [])
    assert rendered.ids == [ord(letter) for letter in "^<uhi><ayo><uso><a"]


def test_an_earlier_answer_keeps_the_ids_it_was_generated_in() -> None:
    rendered = render(chat("hi", "yo", "so"), Letters(), known("yo", 9001), [])
    assert rendered.ids == [*map(ord, "^<uhi><a"), 9001, *map(ord, "><uso><a")]


def test_only_answers_keep_ids_not_a_user_who_says_the_same() -> None:
    rendered = render(chat("yo", "ok", "yo"), Letters(), known("yo", 9001), [])
    assert 9001 not in rendered.ids


def test_every_token_knows_its_message() -> None:
    rendered = render(chat("hi", "yo", "so"), Letters(), known("yo", 9001), [])
    text = "^<uhi><aY><uso><a"
    where = [rendered.message_at(index) for index in range(len(text))]
    assert where == [0] * 5 + [1] * 4 + [2] * 5 + [None] * 3


def test_without_offsets_the_message_is_unknown() -> None:
    assert render(chat("hi"), Letters(offsets=False), Answers(), []).message_at(3) is None


def test_contents_a_template_strips_are_found_but_not_taken_for_the_answer() -> None:
    tokens = Letters(content=str.strip)
    messages = chat(" hi ", " yo ")
    spans = locate(messages, tokens.render(messages), tokens)
    assert spans == [Span(3, 5, exact=False), Span(8, 10, exact=False)]
    assert 9001 not in render(messages, tokens, known(" yo ", 9001), []).ids


def longer_for_letters(content: str) -> str:
    return content if content.isalpha() else content + "!"


@pytest.mark.parametrize("content", [lambda _: "fixed", longer_for_letters], ids=["drops", "adds"])
def test_a_template_that_hides_where_contents_stand_is_encoded_as_it_is(content: Content) -> None:
    tokens = Letters(content=content)
    messages = chat("hi", "yo")
    rendered = render(messages, tokens, known("yo", 9001), [])
    assert rendered.ids == [ord(letter) for letter in tokens.render(messages)]


def test_a_content_that_looks_like_the_template_is_still_one_content() -> None:
    messages = chat("x><ay", "yo", "z")
    tokens = Letters()
    spans = locate(messages, tokens.render(messages), tokens)
    assert [tokens.render(messages)[span.start : span.end] for span in spans] == ["x><ay", "yo", "z"]
