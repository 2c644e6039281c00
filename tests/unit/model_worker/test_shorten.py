import pytest

from nodes.model_worker.engine import Engine
from nodes.model_worker.errors import ContextTooLong
from nodes.model_worker.levels import Level
from nodes.model_worker.shorten import STEP, shorter
from protocol.errors import BadRequest
from protocol.messages.model import ChatMessage, Generate


def chat(exchanges: int) -> list[ChatMessage]:
    """A system message, exchanges, and a last question."""
    turns = [
        ChatMessage(role=role, content=f"{role} {number} .")
        for number in range(exchanges)
        for role in ("user", "assistant")
    ]
    return [ChatMessage(role="system", content="ok"), *turns, ChatMessage(role="user", content="so ?")]


def test_the_oldest_exchanges_go_first_a_few_at_a_time_and_the_last_stays() -> None:
    messages = chat(2 * STEP + 1)
    tries = list(shorter(messages))
    assert tries[0] == messages
    assert tries[1] == [messages[0], *messages[1 + 2 * STEP :]]
    assert tries[-1] == [messages[0], messages[-1]]
    assert len(tries) == 4


def test_what_cannot_be_shortened_is_tried_once() -> None:
    assert list(shorter(chat(0))) == [chat(0)]
    only_system = [ChatMessage(role="system", content="ok")]
    assert list(shorter(only_system)) == [only_system]


def test_a_conversation_that_is_too_long_is_answered_without_its_beginning_where_that_is_allowed(
    level: Level,
) -> None:
    engine = Engine(level)
    messages = chat(30)
    with pytest.raises(ContextTooLong, match="the limit is 400"):
        engine.generate(Generate(messages=messages, session="s"))
    answer = engine.generate(Generate(messages=messages, session="s", overflow="shorten"))
    assert answer.messages_left_out > 0
    assert answer.messages_left_out % (2 * STEP) == 0
    again = engine.generate(
        Generate(
            messages=[*messages, ChatMessage(role="assistant", content=answer.text), messages[-1]],
            session="s",
            overflow="shorten",
        )
    )
    assert again.messages_left_out == answer.messages_left_out
    assert again.tokens_reused == answer.tokens_reused + answer.tokens_computed + answer.tokens_generated - 1


def test_a_last_question_that_alone_is_too_long_is_refused(level: Level) -> None:
    engine = Engine(level)
    with pytest.raises(ContextTooLong):
        engine.generate(Generate(messages=[ChatMessage(role="user", content="the cup " * 400)], overflow="shorten"))


def test_another_word_for_overflow_is_refused(level: Level) -> None:
    with pytest.raises(BadRequest, match="neither 'refuse' nor 'shorten' nor 'prune'"):
        Engine(level).generate(Generate(ids=[5], overflow="truncate"))
