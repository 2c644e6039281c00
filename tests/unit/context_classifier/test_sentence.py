"""A sentence encoder from a local folder. The one here gives each word a fixed vector: its means are foreseeable."""

from __future__ import annotations

import builtins
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from nodes.context_classifier import encoder
from nodes.context_classifier.awaited import Awaited
from nodes.context_classifier.encoder import Choice
from nodes.context_classifier.sentence import LONGEST_TOKENS, SentenceEncoderMissing, Sentences
from protocol.messages.model import Embed, Embedded
from tests.unit.context_classifier.fitted import fit

pytest.importorskip("onnxruntime")
tokenizers = pytest.importorskip("tokenizers")

WORDS = {"[UNK]": 0, "cup": 1, "hall": 2}
VECTORS = np.array([[0, 0, 1], [1, 0, 0], [0, 2, 0]], dtype="<f4")
FLOAT, INT64 = 1, 7


def varint(number: int) -> bytes:
    low, rest = number & 0x7F, number >> 7
    return bytes([low | 0x80]) + varint(rest) if rest else bytes([low])


def field(number: int, value: int | bytes | str) -> bytes:
    """One field of a protobuf message."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    data = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(data)) + data


def named(name: str, kind: int, *dims: str | int) -> bytes:
    """A ValueInfoProto."""
    shape = b"".join(field(1, field(1, dim) if isinstance(dim, int) else field(2, dim)) for dim in dims)
    return field(1, name) + field(2, field(1, field(1, kind) + field(2, shape)))


def gather(name: str = "input_ids") -> bytes:
    """An ONNX model that looks up each token's vector: [1, tokens] → [1, tokens, 3]."""
    table = field(1, 3) + field(1, 3) + field(2, FLOAT) + field(8, "table") + field(9, VECTORS.tobytes())
    node = field(1, "table") + field(1, name) + field(2, "last_hidden_state") + field(4, "Gather")
    graph = (
        field(1, node)
        + field(2, "words")
        + field(5, table)
        + field(11, named(name, INT64, "batch", "tokens"))
        + field(12, named("last_hidden_state", FLOAT, "batch", "tokens", 3))
    )
    return field(1, 8) + field(7, graph) + field(8, field(2, 13))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tokenizers.Tokenizer(tokenizers.models.WordLevel(WORDS, unk_token="[UNK]"))
    made.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    made.save(str(tmp_path / "tokenizer.json"))
    (tmp_path / "model.onnx").write_bytes(gather())
    return tmp_path


async def nobody(_request: Embed) -> Embedded:
    raise AssertionError("a sentence encoder asks no worker")


async def test_a_vector_is_the_mean_over_the_tokens(folder: Path) -> None:
    sentences = Sentences(folder)
    read = await sentences.read("cup cup hall", nobody)
    np.testing.assert_allclose(read.vector, np.array([2, 2, 0]) / np.sqrt(8), atol=1e-6)
    assert read.origin == read.base == sentences.digest


async def test_a_text_without_a_token_has_no_direction(folder: Path) -> None:
    read = await Sentences(folder).read("", nobody)
    assert not read.vector.any()


async def test_of_a_long_text_the_beginning_is_read(folder: Path) -> None:
    read = await Sentences(folder).read("cup " * LONGEST_TOKENS + "hall", nobody)
    np.testing.assert_allclose(read.vector, [1, 0, 0], atol=1e-6)


def test_another_model_has_another_digest(folder: Path) -> None:
    before = Sentences(folder).digest
    (folder / "model.onnx").write_bytes(gather() + field(2, "made elsewhere"))
    assert Sentences(folder).digest != before


async def test_it_is_chosen_by_name_and_folder(folder: Path) -> None:
    place = folder / "sentence.json"
    place.write_bytes(msgspec.json.encode(fit("sentence", Sentences(folder).digest, width=3)))
    chosen = encoder.chosen(Choice(name="sentence", folder=str(folder), fit=str(place)))
    assert isinstance(chosen, Awaited)
    await chosen.read("where is the cup", nobody)
    assert chosen.encode("where is the cup").any()


@pytest.mark.parametrize("name", ["model.onnx", "tokenizer.json"])
def test_a_file_that_is_missing_or_damaged_is_named(folder: Path, name: str) -> None:
    (folder / name).write_bytes(b"not what it should be")
    with pytest.raises(SentenceEncoderMissing, match="encoder: folder"):
        Sentences(folder)
    (folder / name).unlink()
    with pytest.raises(SentenceEncoderMissing, match=f"holds no {name}"):
        Sentences(folder)


def test_without_the_packages_it_says_what_to_install(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = builtins.__import__

    def without(name: str, *given: Any, **named: Any) -> Any:
        if name == "onnxruntime":
            raise ModuleNotFoundError("No module named 'onnxruntime'", name=name)
        return plain(name, *given, **named)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(SentenceEncoderMissing, match=r"onnxruntime is not installed.*sage-runtime\[sentence\]"):
        Sentences(folder)
