"""A model folder in the Hugging Face layout, read without torch: what it is, what it weighs, who it is.

The fingerprint says which model answered: two folders share one exactly if they would compute the same. Each part is
tagged, so that a mismatch can say which part differs.
"""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from nodes.model_worker.errors import ModelIncomplete, ModelMissing, ModelUnfit
from nodes.model_worker.levels import Shape

TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json", "vocab.json", "merges.txt", "tokenizer.model")
TEMPLATE_FILE = "chat_template.jinja"

_CAUSAL = ("ForCausalLM", "LMHeadModel")
_TRIVIA = ("transformers_version", "_name_or_path", "dtype", "torch_dtype", "use_cache")
"""Keys of config.json that change no answer. The dtype a model runs in is a part of its own."""


@dataclass(frozen=True)
class ModelFolder:
    path: Path
    config: dict[str, Any]
    weights: tuple[Path, ...]

    @property
    def stored_dtype(self) -> str:
        return str(self.config.get("dtype") or self.config.get("torch_dtype") or "float32").removeprefix("torch.")

    @property
    def weight_bytes(self) -> int:
        """Of the files, as stored."""
        return sum(file.stat().st_size for file in self.weights)


def open_folder(path: Path) -> ModelFolder:
    """Look at the folder without loading it.

    Raises ModelMissing (no folder), ModelIncomplete (no configuration, safetensors or tokenizer), ModelUnfit (not a
    causal language model).
    """
    if not path.is_dir():
        raise ModelMissing("there is no such folder", place=str(path), remedy="correct `model` in the levels file")
    config = _read_config(path / "config.json")
    _check_causal(path, config)
    weights = tuple(sorted(path.glob("*.safetensors")))
    if not weights:
        raise ModelIncomplete(
            "holds no *.safetensors",
            place=str(path),
            remedy="save the model with save_pretrained; pickles are not read",
        )
    if not any((path / name).is_file() for name in ("tokenizer.json", "vocab.json", "tokenizer.model")):
        raise ModelIncomplete(
            "holds no tokenizer (tokenizer.json, vocab.json or tokenizer.model)",
            place=str(path),
            remedy="save the tokenizer into the same folder",
        )
    return ModelFolder(path, config, weights)


def fingerprint(folder: ModelFolder, dtype: str) -> dict[str, str]:
    """Part → digest, for weights, config (RoPE in it), tokenizer and template; `dtype` as it is."""
    config = {key: value for key, value in folder.config.items() if key not in _TRIVIA}
    return {
        "weights": weights_digest(folder),
        "config": _short(json.dumps(config, sort_keys=True).encode()),
        "tokenizer": _digest(folder.path / name for name in TOKENIZER_FILES),
        "template": _digest([folder.path / TEMPLATE_FILE]),
        "dtype": dtype,
    }


def version(parts: dict[str, str]) -> str:
    """A fingerprint as one short word."""
    return _short(json.dumps(parts, sort_keys=True).encode())


def weights_digest(folder: ModelFolder) -> str:
    """Digest of the weight files alone: what names learned weights on their way from the dreamer to a worker."""
    return _digest(folder.weights)


def shape_of(config: dict[str, Any]) -> Shape:
    """The shape in a config.json. ModelUnfit names a field it lacks."""
    try:
        heads = config["num_attention_heads"]
        hidden = config["hidden_size"]
        return Shape(
            hidden=hidden,
            ffn=config["intermediate_size"],
            layers=config["num_hidden_layers"],
            heads=heads,
            kv_heads=config.get("num_key_value_heads") or heads,
            head_dim=config.get("head_dim") or hidden // heads,
            vocab=config["vocab_size"],
            tied=bool(config.get("tie_word_embeddings", True)),
        )
    except KeyError as error:
        raise ModelUnfit(f"config.json lacks {error.args[0]!r}", remedy="give the level a `shape`") from error


def _read_config(path: Path) -> dict[str, Any]:
    try:
        config = json.loads(path.read_bytes())
    except FileNotFoundError as error:
        raise ModelIncomplete(
            "holds no config.json", place=str(path.parent), remedy="name a folder written by save_pretrained"
        ) from error
    except (OSError, ValueError) as error:
        raise ModelIncomplete(f"cannot be read: {error}", place=str(path)) from error
    if not isinstance(config, dict):
        raise ModelIncomplete("holds no JSON object", place=str(path))
    return config


def _check_causal(path: Path, config: dict[str, Any]) -> None:
    architectures = config.get("architectures") or []
    if architectures and not any(str(name).endswith(_CAUSAL) for name in architectures):
        raise ModelUnfit(
            f"{', '.join(map(str, architectures))} is not a causal language model",
            place=str(path),
            remedy="name a model whose architecture ends in ForCausalLM",
        )


def _digest(files: Iterable[Path]) -> str:
    """One digest over names and contents; a missing file counts as missing, not as empty."""
    total = hashlib.sha256()
    for file in files:
        if file.is_file():
            state = file.stat()
            content = _content_digest(file, state.st_ino, state.st_size, state.st_mtime_ns)
            total.update(file.name.encode() + b"\0" + content)
    return total.hexdigest()[:16]


@lru_cache(maxsize=64)
def _content_digest(file: Path, _inode: int, _size: int, _mtime_ns: int) -> bytes:
    """Digest of a file as it is; the same file unchanged is not read again, for weights are gigabytes."""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").digest()


def _short(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]
