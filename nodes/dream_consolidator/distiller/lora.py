"""Low-rank changes to a model's inner matrices (LoRA, Hu et al. 2021), through PEFT. Nobody else imports it.

A candidate is a complete model: the changes are merged before it is written. PEFT's own switching between adapters is
not used anywhere: `set_adapter` speaks for the whole model at once, and `hotswap_adapter` does nothing to a merged one.
"""

from __future__ import annotations

from typing import Any

import torch


def attach(model: Any, rank: int, seed: int) -> Any:
    """Put W + B A, with A random and B zero, in place of every inner matrix W, and let A and B alone learn.

    alpha = rank, so that the changes are added as they are. What is returned merges them.
    """
    from peft import LoraConfig, LoraModel

    config = LoraConfig(r=rank, lora_alpha=rank, target_modules="all-linear", bias="none", task_type="CAUSAL_LM")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return LoraModel(model, config, "learned")


def merge(attached: Any) -> None:
    """Make the changes part of the weights: the model that they were attached to is an ordinary one again."""
    attached.merge_and_unload()
