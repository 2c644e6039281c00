"""What was fitted, on the disk: tensors, and a card that says what is known of them (safetensors)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from nodes.model_worker.errors import StateUnreadable
from runtime.paths import private_directory, write_atomically

Card, Fit = TypeVar("Card"), TypeVar("Fit")
Tensors = dict[str, Any]


def save(path: Path, tensors: Tensors, card: msgspec.Struct) -> None:
    from safetensors.torch import save as packed

    private_directory(path.parent)
    write_atomically(path, packed(tensors, metadata={"card": msgspec.json.encode(card).decode()}))


def load(path: Path, kind: type[Card], make: Callable[[Tensors], Fit], *, what: str, remedy: str) -> tuple[Fit, Card]:
    """What `make` makes of the tensors, and the card. Raises FileNotFoundError; StateUnreadable for another file."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            card = msgspec.json.decode((file.metadata() or {}).get("card", "null"), type=kind)
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - it is no mapping
        return make(tensors), card
    except (SafetensorError, msgspec.MsgspecError, KeyError, ValueError) as error:
        raise StateUnreadable(f"is no {what}: {error}", place=str(path), remedy=remedy) from error
