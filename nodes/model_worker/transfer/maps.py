"""A fitted map on the disk, by the fingerprints of both models: `STATE/transfer/SOURCE-TARGET.safetensors`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import torch
from torch import Tensor

from nodes.model_worker import fitfile
from nodes.model_worker.errors import StateUnreadable
from nodes.model_worker.transfer.projector import Part, Projector

FOLDER = "transfer"
SUFFIX = ".safetensors"


class Card(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a map."""

    source: str
    """Version of the model that it leads from, and its name among the levels."""
    source_name: str
    target: str
    target_name: str
    sources: str
    """Which source layers a target layer is made of."""
    rank: int | None
    ridge: float
    tokens: int
    """That it was fitted to."""
    explained: float
    """Share of the target's variance that it accounts for, in contexts it was not fitted to (R²)."""
    surprise: float
    """There: the target's, 0 as with its own state, 1 as with none."""
    most: float
    """Nats a token of the tail above which a state that was moved is thrown away."""
    parameters: int


def path_of(state_dir: Path, source: str, target: str) -> Path:
    return state_dir / FOLDER / f"{source}-{target}{SUFFIX}"


def save(path: Path, projector: Projector, card: Card) -> None:
    tensors: dict[str, Tensor] = {"mean": projector.mean, "offset": projector.offset}
    for number, part in enumerate(projector.parts):
        tensors[f"{number}.columns"] = torch.tensor([part.columns.start, part.columns.stop])
        for name in ("sees", "left", "right"):
            if (tensor := getattr(part, name)) is not None:
                tensors[f"{number}.{name}"] = tensor.contiguous()
    fitfile.save(path, tensors, card)


def load(path: Path) -> tuple[Projector, Card]:
    """Raises FileNotFoundError, and StateUnreadable for a file that is no map."""
    return fitfile.load(path, Card, _projector, what="map of attention state", remedy="remove it and fit it anew")


def _projector(tensors: fitfile.Tensors) -> Projector:
    count = sum(name.endswith(".columns") for name in tensors)
    parts = tuple(_part(tensors, number) for number in range(count))
    return Projector(tensors["mean"], tensors["offset"], parts)


def cards(state_dir: Path) -> dict[Path, Card | str]:
    """Every map that there is, or why it cannot be read."""
    found: dict[Path, Card | str] = {}
    for path in sorted((state_dir / FOLDER).glob(f"*{SUFFIX}")):
        try:
            found[path] = load(path)[1]
        except StateUnreadable as error:
            found[path] = str(error)
    return found


def _part(tensors: dict[str, Any], number: int) -> Part:
    start, stop = tensors[f"{number}.columns"].tolist()
    return Part(
        slice(start, stop), tensors.get(f"{number}.sees"), tensors[f"{number}.left"], tensors.get(f"{number}.right")
    )
