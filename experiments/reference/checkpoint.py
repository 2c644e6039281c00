"""Training state on disk: one safetensors file, written beside, synced and renamed, so that it is whole or absent."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from protocol.errors import ConfigError
from runtime.paths import write_atomically

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module
    from torch.optim import Optimizer


def save(path: Path, model: "Module", optimizers: Sequence["Optimizer"], run: dict[str, Any]) -> None:
    """`run` says which run this is and how far it got; it must be JSON."""
    from safetensors.torch import save as serialise

    tensors = {f"model.{name}": value.detach().clone() for name, value in model.named_parameters()}
    for number, optimizer in enumerate(optimizers):
        for index, state in optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{number}.{index}.{key}": value.clone() for key, value in state.items()}
    write_atomically(path, serialise(tensors, metadata={"run": json.dumps(run)}))


def restore(path: Path, model: "Module", optimizers: Sequence["Optimizer"], expected: dict[str, Any]) -> dict[str, Any]:
    """Put the state back and return its `run`. ConfigError where it belongs to a run that differs from `expected`."""
    run, tensors = _read(path)
    for key, value in expected.items():
        if run.get(key) != value:
            raise ConfigError(
                f"this checkpoint was made with {key} = {run.get(key)!r}, not {value!r}",
                place=str(path),
                remedy="go on with the same settings, or train into another folder",
            )
    _restore_model(model, tensors)
    for number, optimizer in enumerate(optimizers):
        _restore_optimizer(optimizer, number, tensors)
    return run


def _read(path: Path) -> tuple[dict[str, Any], dict[str, "Tensor"]]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            run: dict[str, Any] = json.loads(file.metadata()["run"])
            return run, {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a mapping
    except (SafetensorError, KeyError, TypeError, ValueError) as error:
        raise ConfigError(
            f"is no checkpoint: {error}", place=str(path), remedy="remove it to begin anew, or name another folder"
        ) from error


def _restore_model(model: "Module", tensors: dict[str, "Tensor"]) -> None:
    import torch

    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.copy_(tensors[f"model.{name}"])


def _restore_optimizer(optimizer: "Optimizer", number: int, tensors: dict[str, "Tensor"]) -> None:
    whole = optimizer.state_dict()
    state: dict[int, dict[str, Tensor]] = {}
    for name, value in tensors.items():
        head, *rest = name.split(".")
        if head == "optimizer" and int(rest[0]) == number:
            state.setdefault(int(rest[1]), {})[rest[2]] = value
    optimizer.load_state_dict({"state": state, "param_groups": whole["param_groups"]})
