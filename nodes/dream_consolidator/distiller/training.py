"""The training loop: batches in an order that the seed decides, AdamW, early stop, checkpoints. Imports torch.

Everything that decides the next step is in a checkpoint or follows from the seed and the step, so that training that
was stopped and gone on with ends in the same bits as training that was not.
"""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import torch
from torch import Tensor, nn

from nodes.dream_consolidator.distiller.targets import Batch, Item, Target, answer_logits, collate, lesson_losses
from nodes.dream_consolidator.settings import Train

_RATES = {"full": 1e-5, "lora": 2e-4}
"""What suits a model as wide as Qwen2.5 0.5B. Adam's rate goes as 1 / width (Yang et al. 2021, table 3). Twice to six
times as much teaches as well and makes a small model forget: measured on the reference family."""
_WIDTH = 896
_WARM_UP = 0.05
_CLIP = 1.0


class State(msgspec.Struct, kw_only=True):
    """Where training stands, beside its tensors."""

    step: int = 0
    best_step: int = 0
    best: tuple[float, float] | None = None
    """Of the best look: share right, minus loss. None before the first."""
    looks_without_progress: int = 0


@dataclass(frozen=True)
class Lessons:
    """Items with their targets; without targets the words alone are learned."""

    items: Sequence[Item]
    targets: Sequence[Target] | None

    def batch(self, indices: Sequence[int], device: Any) -> Batch:
        targets = None if self.targets is None else [self.targets[index] for index in indices]
        return collate([self.items[index] for index in indices], targets, device)


class Trainer:
    """Trains a causal language model in place: `step` until it is `over`, then `keep_best`."""

    def __init__(self, model: Any, lessons: Lessons, development: Lessons, settings: Train, *, seed: int) -> None:
        self.model = model
        self.state = State()
        self._lessons, self._development = lessons, development
        self._settings = settings
        self._seed = seed
        self._parameters = prepare(model, settings, seed)
        self._rate = peak_rate(model.config.get_text_config().hidden_size, settings)
        self._optimizer = torch.optim.AdamW(self._parameters.values(), lr=self._rate, betas=(0.9, 0.95), weight_decay=0)
        self._best = {name: parameter.detach().clone() for name, parameter in self._parameters.items()}
        self._per_epoch = math.ceil(len(lessons.items) / settings.batch)
        self.steps = settings.epochs * self._per_epoch

    @property
    def trained(self) -> int:
        """Parameters that learn."""
        return sum(parameter.numel() for parameter in self._parameters.values())

    @property
    def over(self) -> bool:
        return self.state.step >= self.steps or self.state.looks_without_progress >= self._settings.patience

    def step(self) -> float:
        """One batch, and a look at the development set where one is due. The batch's loss in nats per token."""
        for group in self._optimizer.param_groups:
            group["lr"] = self._rate * schedule(self.state.step, self.steps)
        batch = self._lessons.batch(self._order(self.state.step), self.model.device)
        logits = answer_logits(self.model, batch.items)
        loss = (batch.weights * lesson_losses(logits, batch, self._settings.cross_entropy)).mean()
        self._optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self._parameters.values(), _CLIP)
        self._optimizer.step()
        self.state.step += 1
        if self.state.step % self._settings.evaluate == 0 or self.state.step == self.steps:
            self._look()
        return float(loss.detach())

    def keep_best(self) -> None:
        """Put the best weights of all looks into the model, and make it an ordinary one again."""
        with torch.no_grad():
            for name, parameter in self._parameters.items():
                parameter.copy_(self._best[name])
        merge(self.model)

    def save(self, path: Path) -> None:
        """Write a checkpoint: the old one or the new one is there at any moment."""
        from safetensors.torch import save_file

        tensors = {f"now.{name}": parameter.detach().contiguous() for name, parameter in self._parameters.items()}
        tensors |= {f"best.{name}": tensor.contiguous() for name, tensor in self._best.items()}
        for name, parameter in self._parameters.items():
            for key, value in self._optimizer.state.get(parameter, {}).items():
                tensors[f"adam.{key}.{name}"] = value.contiguous()
        beside = path.with_name(f".{path.name}.{os.getpid()}")
        save_file(tensors, beside, metadata={"state": msgspec.json.encode(self.state).decode()})
        beside.chmod(0o600)
        beside.replace(path)

    def resume(self, path: Path) -> None:
        """Go on from a checkpoint, if there is one."""
        from safetensors import safe_open

        if not path.exists():
            return
        with safe_open(path, framework="pt", device=str(self.model.device)) as file:
            self.state = msgspec.json.decode(file.metadata()["state"], type=State)
            keys = set(file.keys())
            with torch.no_grad():
                for name, parameter in self._parameters.items():
                    parameter.copy_(file.get_tensor(f"now.{name}"))
                    self._best[name].copy_(file.get_tensor(f"best.{name}"))
                    adam = {
                        part: file.get_tensor(f"adam.{part}.{name}")
                        for part in ("step", "exp_avg", "exp_avg_sq")
                        if f"adam.{part}.{name}" in keys
                    }
                    if adam:
                        self._optimizer.state[parameter] = {**adam, "step": adam["step"].cpu()}

    def _order(self, step: int) -> list[int]:
        """The lessons of a step: every epoch is a shuffle of its own."""
        epoch, place = divmod(step, self._per_epoch)
        order = list(range(len(self._lessons.items)))
        Random(f"{self._seed}/{epoch}").shuffle(order)
        return order[place * self._settings.batch : (place + 1) * self._settings.batch]

    def _look(self) -> None:
        score = self._development_score()
        if score is not None and self.state.best is not None and score <= self.state.best:
            self.state.looks_without_progress += 1
            return
        self.state.looks_without_progress = 0
        self.state.best_step = self.state.step
        for name, parameter in self._parameters.items():
            self._best[name].copy_(parameter.detach())
        self.state.best = score

    @torch.no_grad()
    def _development_score(self) -> tuple[float, float] | None:
        """Share of lessons whose every token is the likeliest, and minus their mean loss.

        What is taught and what is rehearsed count the same. None where there is nothing to look at: then the last
        weights are the best.
        """
        items = self._development.items
        right: dict[bool, list[float]] = {}
        losses: list[float] = []
        for start in range(0, len(items), self._settings.batch):
            batch = self._development.batch(
                range(start, min(start + self._settings.batch, len(items))), self.model.device
            )
            logits = answer_logits(self.model, batch.items)
            losses += lesson_losses(logits, batch, self._settings.cross_entropy).tolist()
            hits = ((logits.argmax(-1) == batch.answers) | ~batch.mask.bool()).all(-1).tolist()
            for item, hit in zip(batch.items, hits, strict=True):
                right.setdefault(item.rehearsal, []).append(float(hit))
        if not items:
            return None
        share = sum(sum(hits) / len(hits) for hits in right.values()) / len(right)
        return share, -sum(losses) / len(losses)


def peak_rate(width: int, settings: Train) -> float:
    """The highest learning rate, for a model whose hidden states have `width` numbers."""
    return _RATES[settings.method] * _WIDTH / width if settings.rate == "auto" else settings.rate


def schedule(step: int, steps: int) -> float:
    """Share of the highest rate: up over the first twentieth, constant to the middle, then straight down to nothing."""
    warm = max(1, round(_WARM_UP * steps))
    return min((step + 1) / warm, 1.0, 2 * (steps - step) / steps)


def prepare(model: nn.Module, settings: Train, seed: int) -> dict[str, nn.Parameter]:
    """Make the parameters learn that are to, and name them."""
    if settings.method == "full":
        model.requires_grad_(True)
    else:
        generator = torch.Generator().manual_seed(seed)
        for linear in _inner_linears(model):
            low_rank = LowRank(linear.weight, settings.rank, generator)
            nn.utils.parametrize.register_parametrization(linear, "weight", low_rank)
    return {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}


def merge(model: nn.Module) -> None:
    """Turn low-rank changes into weights, and stop learning."""
    for module in list(model.modules()):
        if nn.utils.parametrize.is_parametrized(module, "weight"):
            nn.utils.parametrize.remove_parametrizations(module, "weight", leave_parametrized=True)
    model.requires_grad_(False)


class LowRank(nn.Module):
    """W + B A with A random and B zero (LoRA, Hu et al. 2021, section 4.1), alpha = rank."""

    def __init__(self, weight: Tensor, rank: int, generator: torch.Generator) -> None:
        super().__init__()
        rows, columns = weight.shape
        a = torch.randn(rank, columns, generator=generator) / math.sqrt(columns)
        self.a = nn.Parameter(a.to(weight))
        self.b = nn.Parameter(torch.zeros(rows, rank).to(weight))

    def forward(self, weight: Tensor) -> Tensor:
        return weight + self.b @ self.a


def _inner_linears(model: nn.Module) -> list[nn.Linear]:
    """All linear layers but the one that makes logits, which may be the embedding."""
    last = model.get_output_embeddings()  # type: ignore[operator]
    return [module for module in model.modules() if isinstance(module, nn.Linear) and module is not last]
