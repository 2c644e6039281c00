"""Who has read the conversation, and who goes on."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch

from nodes.model_worker import levels, loading
from nodes.model_worker.loading import LoadedModel

STEPS, RATE = 40, 2e-4
"""Of the further training that makes an adapted model of a base."""


@dataclass(frozen=True)
class Pair:
    name: str
    source: LoadedModel
    target: LoadedModel


def pairs(wanted: Sequence[str], texts: Sequence[Sequence[int]]) -> list[Pair]:
    """Of the reference family: each size to the next smaller one and back, large to small at once, base to adapted.

    `texts`: ids that the adapted model is trained further on. `wanted`: names; none for all.
    """
    chosen = {}

    def model(level: str) -> LoadedModel:
        if level not in chosen:
            chosen[level] = loading.load(levels.load().by_name(level))
        return chosen[level]

    found = []
    for source, target in (
        ("specialized", "tactical"),
        ("tactical", "sensory"),
        ("specialized", "sensory"),
        ("sensory", "tactical"),
        ("tactical", "specialized"),
    ):
        name = f"{source} → {target}"
        if not wanted or name in wanted:
            found.append(Pair(name, model(source), model(target)))
    name = "tactical → tactical, adapted"
    if not wanted or name in wanted:
        found.append(Pair(name, model("tactical"), adapted(model("tactical"), texts)))
    return found


def adapted(base: LoadedModel, texts: Sequence[Sequence[int]]) -> LoadedModel:
    """The same model, trained further for a few steps, as a dream would."""
    model = copy.deepcopy(base.model).float().requires_grad_(True).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE, weight_decay=0)
    for number in range(STEPS):
        ids = torch.tensor([list(texts[number % len(texts)][:512])])
        model(input_ids=ids, labels=ids).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    model = model.to(getattr(torch, base.dtype)).eval().requires_grad_(False)
    return replace(base, model=model, version=f"{base.version}-adapted")
