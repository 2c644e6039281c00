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
from nodes.model_worker.levels import Level, load
from nodes.model_worker.rendering import render
from protocol.messages.model import ChatMessage, Generate
from tests.unit.model_worker import tiny

FOLDER = os.environ.get("SAGE_QWEN_TOKENIZER", "")
pytestmark = pytest.mark.skipif(not FOLDER, reason="SAGE_QWEN_TOKENIZER names no folder with the Qwen2.5 tokenizer")

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


@pytest.mark.parametrize("seed", range(8))
def test_every_turn_of_a_chat_reuses_all_that_was_computed(engine: Engine, seed: int) -> None:
    source = random.Random(seed)
    messages = [ChatMessage(role="system", content=text(source))] if seed % 2 else []
    computed = 0
    for _ in range(4):
        messages.append(ChatMessage(role="user", content=text(source)))
        answer = engine.generate(Generate(messages=messages, session=str(seed)))
        assert answer.tokens_reused == computed
        assert answer.diverged_at is None
        computed = answer.tokens_reused + answer.tokens_computed + answer.tokens_generated - 1
        messages.append(ChatMessage(role="assistant", content=answer.text))


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
