"""Where training stands, in one file: weights, the best ones so far, the optimizer's moments, the rest as words."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

_MOMENTS = ("step", "exp_avg", "exp_avg_sq")


def save(
    path: Path,
    parameters: Mapping[str, nn.Parameter],
    best: Mapping[str, Tensor],
    optimizer: torch.optim.AdamW,
    state: str,
) -> None:
    """Write beside, then rename: the old checkpoint or the new one is there at any moment."""
    from safetensors.torch import save_file

    tensors = {f"now.{name}": parameter.detach().contiguous() for name, parameter in parameters.items()}
    tensors |= {f"best.{name}": tensor.contiguous() for name, tensor in best.items()}
    for name, parameter in parameters.items():
        for key, value in optimizer.state.get(parameter, {}).items():
            tensors[f"adam.{key}.{name}"] = value.contiguous()
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    save_file(tensors, beside, metadata={"state": state})
    beside.chmod(0o600)
    beside.replace(path)


@torch.no_grad()
def load(
    path: Path, parameters: Mapping[str, nn.Parameter], best: Mapping[str, Tensor], optimizer: torch.optim.AdamW
) -> str:
    """Put everything back where it was; the words."""
    from safetensors import safe_open

    with safe_open(path, framework="pt") as file:
        keys = set(file.keys())
        for name, parameter in parameters.items():
            parameter.copy_(file.get_tensor(f"now.{name}"))
            best[name].copy_(file.get_tensor(f"best.{name}"))
            if f"adam.step.{name}" in keys:
                begin_one(optimizer, parameter)
                for key in _MOMENTS:
                    optimizer.state[parameter][key].copy_(file.get_tensor(f"adam.{key}.{name}"))
        return str(file.metadata()["state"])


def begin(optimizer: torch.optim.AdamW) -> None:
    """Give every parameter that has none yet the moments that AdamW would begin with."""
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            begin_one(optimizer, parameter)


def begin_one(optimizer: torch.optim.AdamW, parameter: nn.Parameter) -> None:
    if parameter not in optimizer.state:
        optimizer.state[parameter] = {
            "step": torch.tensor(0.0),
            "exp_avg": torch.zeros_like(parameter),
            "exp_avg_sq": torch.zeros_like(parameter),
        }
