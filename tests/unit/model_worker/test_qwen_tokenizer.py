"""The real Qwen2.5 tokenizer and template, where SAGE_QWEN_TOKENIZER names their folder."""

import os
import random
from pathlib import Path
from typing import Any

import pytest

from nodes.model_worker.engine import Engine
from nodes.model_worker.fits import kv_bytes_per_token, parameters
from nodes.model_worker.folder import shape_of
from nodes.model_worker.kv.answers import Answers
from nodes.model_worker.kv.history import common_prefix
from nodes.model_worker.levels import Level, load
from nodes.model_worker.rendering import render
from protocol.messages.model import ChatMessage, Generate
from tests.unit.model_worker import tiny

FOLDER = os.environ.get("SAGE_QWEN_TOKENIZER", "")
pytestmark = pytest.mark.skipif(not FOLDER, reason="SAGE_QWEN_TOKENIZER names no folder with the Qwen2.5 tokenizer")

TOOLS = [
    {
        "type": "function",
        "function": {
            "name": name,
            "description": f"Get the {name} of a place, naïve or not: 日本語.",
            "parameters": {"type": "object", "properties": {"place": {"type": "string"}}, "required": ["place"]},
        },
    }
    for name in ("weather", "time", "light")
]
WORDS = ["the", "cup", "naïve", "日本語", "😀", "\n\n", "  x", "12345", "def f():", "don't", "—", "<b>"]


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    from transformers import AutoTokenizer

    folder = tmp_path_factory.mktemp("qwen")
    tiny.model(
        vocab_size=151_936, hidden_size=16, intermediate_size=32, max_position_embeddings=8192, eos_token_id=151_645
    ).save_pretrained(folder)
    tokenizer: Any = AutoTokenizer.from_pretrained(FOLDER)
    tokenizer.save_pretrained(folder)
    return Engine(Level(name="q", model=str(folder), context=8192, max_new_tokens=16, dtype="float32"))


def text(source: random.Random) -> str:
    return " ".join(source.choices(WORDS, k=source.randint(1, 12)))


def test_a_chat_without_answers_renders_as_transformers_renders_it(engine: Engine) -> None:
    source = random.Random(1)
    tokenizer = engine.load().tokenizer
    for system in (True, False):
        messages = [ChatMessage(role="system", content=text(source))] if system else []
        messages += [ChatMessage(role=role, content=text(source)) for role in ("user", "assistant", "user")]
        chat = [{"role": message.role, "content": message.content} for message in messages]
        expected = tokenizer._tokenizer.apply_chat_template(chat, add_generation_prompt=True, return_dict=False)
        assert render(messages, tokenizer, Answers(), []).ids == expected


@pytest.mark.parametrize("chats", [10, pytest.param(200, marks=pytest.mark.slow)])
def test_every_turn_of_a_chat_reuses_all_that_it_has_in_common_with_what_was_computed(
    engine: Engine, chats: int
) -> None:
    """Chats with and without a system prompt and tools, their sessions interleaved."""
    source = random.Random(chats)
    waiting = [Chat(f"{chats}/{number}", source) for number in range(chats)]
    while waiting:
        chat = source.choice(waiting)
        before = list(chat.computed)
        answer = engine.generate(chat.next_request())
        prompt = engine.desk.ids[: answer.tokens_reused + answer.tokens_computed]
        assert answer.tokens_reused >= min(common_prefix(before, prompt), len(prompt) - 1)
        if chat.turns > 1:
            assert answer.tokens_reused == len(before), "nothing that was computed is computed again"
            assert answer.diverged_at is None
        chat.heard(answer.text, engine.desk.ids)
        if chat.turns == 4:
            waiting.remove(chat)


class Chat:
    def __init__(self, session: str, source: random.Random) -> None:
        self.session = session
        self.turns = 0
        self.computed: list[int] = []
        self._source = source
        self._tools = source.sample(TOOLS, source.randint(1, 3)) if source.random() < 0.5 else []
        self._messages = [ChatMessage(role="system", content=text(source))] if source.random() < 0.5 else []

    def next_request(self) -> Generate:
        """A question, or what one or two tools gave back."""
        back = self._source.randint(1, 2) if self._tools and self.turns and self._source.random() < 0.5 else 0
        for role in ["tool"] * back or ["user"]:
            self._messages.append(ChatMessage(role=role, content=text(self._source)))
        self.turns += 1
        return Generate(messages=self._messages, tools=self._tools, session=self.session)

    def heard(self, answer: str, ids: list[int]) -> None:
        self._messages.append(ChatMessage(role="assistant", content=answer))
        self.computed = list(ids)


def test_tools_are_rendered_as_transformers_renders_them(engine: Engine) -> None:
    tokenizer = engine.load().tokenizer
    messages = [ChatMessage(role=role, content="so?") for role in ("system", "user", "assistant", "tool", "tool")]
    chat = [{"role": message.role, "content": message.content} for message in messages]
    expected = tokenizer._tokenizer.apply_chat_template(
        chat, tools=TOOLS, add_generation_prompt=True, return_dict=False
    )
    assert render(messages, tokenizer.with_tools(TOOLS), Answers(), []).ids == expected


def test_an_edit_is_found_in_its_message_behind_the_default_system_prompt(engine: Engine) -> None:
    def ask(first: str) -> Generate:
        roles = ("user", "assistant", "user")
        texts = (first, "of course", "go on")
        chat = [ChatMessage(role=role, content=said) for role, said in zip(roles, texts, strict=True)]
        return Generate(messages=chat, session="edit")

    engine.generate(ask("tell me of the sea"))
    edited = engine.generate(ask("tell me of the hills"))
    assert edited.diverged_message == 0
    assert edited.tokens_reused == edited.diverged_at


def test_the_true_shape_is_read_from_its_configuration() -> None:
    import json

    shape = shape_of(json.loads((Path(FOLDER) / "config.json").read_text()))
    assert shape == load("configs/levels.qwen.yaml").by_name("sensory").shape
    assert (parameters(shape), kv_bytes_per_token(shape, 2)) == (494_032_768, 12_288)
