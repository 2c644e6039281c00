"""Word vectors: made from a model's folder and from text, read from their file, put together for an utterance."""

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from nodes.context_classifier import encoder
from nodes.context_classifier.commands import context
from nodes.context_classifier.embeddings import EmbeddingsUnreadable, WordTable, write
from nodes.context_classifier.encoder import Choice, Hashed, Tokens
from nodes.context_classifier.export import Line, table
from nodes.context_classifier.vectors import similarity
from protocol.errors import BadRequest, ConfigError

WORDS = ["zebra", "cup", "über", "#"]
THINGS = ["cup", "book", "lamp", "door", "key", "pen"]
LINES = [
    line
    for thing in THINGS
    for line in (
        Line(f"where is the {thing}", f"the {thing} is in the hall"),
        Line(f"find my {thing}", f"the {thing} is in the hall"),
        Line(f"who owns the {thing}", f"it belongs to tom and {thing}"),
        Line(f"whose is the {thing}", f"it belongs to tom and {thing}"),
    )
]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    vectors = np.arange(8, dtype=np.float32).reshape(4, 2)
    place = tmp_path / "words.safetensors"
    place.write_bytes(write(WORDS, vectors, np.array([0.1, 0.2, 0.3, 0.4]), {"blocks": "company:2"}))
    return place


def model_folder(place: Path, dtype: str = "BF16") -> Path:
    """A folder with the embeddings of four pieces, as a language model has them."""
    matrix = np.array([[1, 2], [3, 4], [5, 6], [7, 8]], dtype="<f4")
    data = (matrix.view("<u4") >> 16).astype("<u2").tobytes() if dtype == "BF16" else matrix.tobytes()
    header = json.dumps(
        {"model.embed_tokens.weight": {"dtype": dtype, "shape": [4, 2], "data_offsets": [0, len(data)]}}
    )
    place.mkdir(exist_ok=True)
    (place / "model.safetensors").write_bytes(len(header).to_bytes(8, "little") + header.encode() + data)
    vocabulary = {"Ġcup": 0, "Ġbook": 1, "3": 2, "xyz": 3}
    (place / "tokenizer.json").write_text(json.dumps({"model": {"vocab": vocabulary}}))
    return place


def test_a_table_gives_back_what_was_written(path: Path) -> None:
    read = WordTable(path)
    assert [read.word(row) for row in range(4)] == sorted(WORDS)
    for row, word in enumerate(WORDS):
        assert read.vector(read.row(word)).tolist() == [2 * row, 2 * row + 1]
    assert read.row("unheard") == -1
    assert read.blocks == {"company": 2}


def test_other_vectors_have_another_fingerprint(path: Path) -> None:
    before = WordTable(path).fingerprint
    path.write_bytes(write(WORDS, np.ones((4, 2)), np.ones(4), {"blocks": "company:2"}))
    assert WordTable(path).fingerprint != before


@pytest.mark.parametrize("length", [0, 4, 40, 200])
def test_a_cut_table_is_refused_with_the_way_out(path: Path, length: int) -> None:
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(EmbeddingsUnreadable, match="sage context export"):
        WordTable(path)


def test_a_table_that_is_no_table_is_refused(path: Path) -> None:
    path.write_bytes(bytes(range(256)) * 10)
    with pytest.raises(EmbeddingsUnreadable):
        WordTable(path)


@pytest.mark.parametrize("dtype", ["BF16", "F32"])
def test_whole_words_of_a_models_vocabulary_are_taken(tmp_path: Path, dtype: str) -> None:
    place = tmp_path / "words"
    place.write_bytes(table(model_folder(tmp_path / "model", dtype), []))
    read = WordTable(place)
    assert read.blocks == {"model": 2}
    assert min(read.row("cup"), read.row("book"), read.row("#")) >= 0
    assert read.row("xyz") == -1


def test_a_folder_without_a_model_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match=r"tokenizer\.json"):
        table(tmp_path, [])
    with pytest.raises(BadRequest, match="neither"):
        table(None, [])


def test_text_teaches_that_two_wordings_are_one_question(tmp_path: Path) -> None:
    place = tmp_path / "words"
    place.write_bytes(table(None, LINES))
    known = Tokens(place)
    where, find, owns, whose = (known.encode(text) for text in ("where is it", "find it", "who owns it", "whose is it"))
    assert similarity(where, find) > similarity(find, owns)
    assert similarity(owns, whose) > similarity(find, whose)
    assert known.sort(known.row("cup"), known.row("book")) > 0
    assert known.sort(known.row("cup"), known.row("owns")) == 0


def test_unknown_words_leave_the_written_features_alone(path: Path) -> None:
    vector = Tokens(path).encode("some unheard words")
    assert np.allclose(vector[: Hashed.dimensions], Hashed().encode("some unheard words"), atol=1e-6)
    assert not vector[Hashed.dimensions :].any()


def test_an_empty_text_has_no_vector(path: Path) -> None:
    assert not Tokens(path).encode("...").any()
    assert not Hashed().encode("").any()


def test_the_encoder_is_chosen_by_name(path: Path) -> None:
    assert encoder.chosen(Choice(name="hashed")).name == "hashed"
    assert encoder.chosen(Choice(words=str(path))).name == "tokens"
    assert encoder.chosen(Choice()).fingerprint != Hashed.fingerprint


def test_another_package_brings_an_encoder(monkeypatch: pytest.MonkeyPatch) -> None:
    class Letters(Hashed):
        name = "letters"

    monkeypatch.setattr(encoder.plugins, "names", lambda group: ["hashed", "letters", "tokens"])
    monkeypatch.setattr(encoder.plugins, "load", lambda group, name: lambda choice: Letters())
    assert encoder.chosen(Choice(name="letters")).name == "letters"
    with pytest.raises(ConfigError, match="hashed, letters, tokens"):
        encoder.chosen(Choice(name="sentence"))


def test_the_export_command_makes_a_table(tmp_path: Path) -> None:
    text = tmp_path / "lines.tsv"
    text.write_text("\n".join(f"{line.text}\t{line.answer}" for line in LINES))
    out = tmp_path / "words.safetensors"
    folder = str(model_folder(tmp_path / "model"))
    done = CliRunner().invoke(context, ["export", "--model", folder, "--text", str(text), "--out", str(out), "--json"])
    assert done.exit_code == 0, done.output
    assert json.loads(done.output)["blocks"]["model"] == 2
    assert Tokens(out).encode("where is the cup").any()
