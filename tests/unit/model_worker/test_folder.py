import json
import shutil
from pathlib import Path

import pytest

from nodes.model_worker.errors import ModelIncomplete, ModelMissing, ModelUnfit
from nodes.model_worker.folder import fingerprint, open_folder, shape_of, version, weights_digest


@pytest.fixture
def copy(folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(folder, tmp_path / "copy"))


def rewrite(path: Path, **changes: object) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelMissing, match="nowhere: there is no such folder"):
        open_folder(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("file", "said"),
    [("config.json", "no config.json"), ("model.safetensors", "pickles are not read"), ("tokenizer.json", "tokenizer")],
)
def test_a_missing_file_is_named(copy: Path, file: str, said: str) -> None:
    (copy / file).unlink()
    with pytest.raises(ModelIncomplete, match=said):
        open_folder(copy)


@pytest.mark.parametrize("text", ["{", "[]", "\x00"])
def test_a_configuration_that_is_no_json_object_is_named(copy: Path, text: str) -> None:
    (copy / "config.json").write_text(text)
    with pytest.raises(ModelIncomplete, match=r"config\.json"):
        open_folder(copy)


def test_a_model_that_is_not_causal_is_refused(copy: Path) -> None:
    rewrite(copy / "config.json", architectures=["BertForMaskedLM"])
    with pytest.raises(ModelUnfit, match="BertForMaskedLM is not a causal language model"):
        open_folder(copy)


def test_a_copy_has_the_same_fingerprint_and_each_change_shows_in_its_part(folder: Path, copy: Path) -> None:
    first = fingerprint(open_folder(folder), "float32")
    assert fingerprint(open_folder(copy), "float32") == first
    (copy / "chat_template.jinja").write_text("other")
    rewrite(copy / "config.json", rms_norm_eps=1e-5, transformers_version="0")
    second = fingerprint(open_folder(copy), "bfloat16")
    assert {part for part in first if first[part] != second[part]} == {"template", "config", "dtype"}
    assert version(first) != version(second)


def test_one_changed_byte_of_the_weights_changes_their_digest(copy: Path) -> None:
    before = weights_digest(open_folder(copy))
    data = bytearray((copy / "model.safetensors").read_bytes())
    data[-1] ^= 1
    (copy / "model.safetensors").write_bytes(data)
    assert weights_digest(open_folder(copy)) != before


def test_a_configuration_without_sizes_is_refused_by_the_field_it_lacks() -> None:
    with pytest.raises(ModelUnfit, match="hidden_size"):
        shape_of({"num_attention_heads": 2})
