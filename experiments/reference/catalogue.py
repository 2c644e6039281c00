"""What can be said of the family without loading a model: shapes, sizes, sums, the figures it was released with."""

import json
from pathlib import Path
from typing import Any

from experiments.reference import integrity
from experiments.reference.family import SIZES, WEIGHTS
from protocol.errors import ConfigError

FIGURES = "figures.json"


def summary(name: str) -> dict[str, Any]:
    """One size at a glance."""
    folder = SIZES[name].folder
    config = read_json(folder / "config.json")
    return {
        "size": name,
        "parameters": parameters(folder / "model.safetensors"),
        "layers": config["num_hidden_layers"],
        "width": config["hidden_size"],
        "heads": config["num_attention_heads"],
        "kv_heads": config["num_key_value_heads"],
        "head_dim": config["hidden_size"] // config["num_attention_heads"],
        "context": config["max_position_embeddings"],
        "bytes": sum(path.stat().st_size for path in folder.iterdir()),
        "folder": str(folder),
        "version": integrity.version(WEIGHTS),
    }


def released_figures() -> dict[str, Any]:
    """The record of the evaluation that the weights were released with."""
    return read_json(WEIGHTS / FIGURES)


def parameters(path: Path) -> int:
    """How many numbers a safetensors file holds, read from its header: 8 bytes of length, then JSON."""
    with _opened(path) as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
    shapes = (entry["shape"] for name, entry in header.items() if name != "__metadata__")
    return sum(_product(shape) for shape in shapes)


def read_json(path: Path) -> dict[str, Any]:
    """ConfigError where the file is missing."""
    with _opened(path) as file:
        found: dict[str, Any] = json.load(file)
    return found


def _opened(path: Path) -> Any:
    try:
        return path.open("rb")
    except OSError as error:
        raise ConfigError(
            f"cannot be read: {error.strerror}",
            place=str(path),
            remedy="install sage-runtime again, or make it by `sage models train-reference`",
        ) from error


def _product(shape: list[int]) -> int:
    count = 1
    for length in shape:
        count *= length
    return count
