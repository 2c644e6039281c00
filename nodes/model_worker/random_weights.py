"""A model of a true shape with random weights: what it says is noise, what it costs is true."""

from pathlib import Path
from typing import Any

import torch

from nodes.model_worker import loading
from nodes.model_worker.kv.features import Features
from nodes.model_worker.kv.rotary import Rotary
from nodes.model_worker.kv.shape import StateShape
from nodes.model_worker.levels import Shape
from nodes.model_worker.loading import LoadedModel
from nodes.model_worker.tokenizer import ChatTokenizer

CONTEXT = 32_768
THETA = 1e6
"""Base of the rotary embedding."""


class _Numbers:
    """Stands in for a tokenizer: its text is the ids."""

    is_fast = False
    chat_template = None

    def decode(self, ids: list[int], **_: Any) -> str:
        return "".join(f" {token}" for token in ids)


def features(shape: Shape) -> Features:
    """Of attention state of this shape, without biases; nothing is built for it."""
    turning = THETA ** -(torch.arange(0, shape.head_dim, 2) / shape.head_dim)
    bias = torch.zeros(shape.layers, 2, shape.kv_heads, 1, shape.head_dim)
    return Features(Rotary(turning, 1.0), bias, torch.bfloat16)


def build(shape: Shape, *, dtype: str, device: str, seed: int, chunk: int, threads: int = 1) -> LoadedModel:
    """A `Qwen2ForCausalLM` of this shape, ready to answer ids in chunks. Weights are uniform within ±0.03."""
    from transformers import Qwen2Config, Qwen2ForCausalLM

    torch.set_num_threads(threads)
    config = Qwen2Config(
        vocab_size=shape.vocab,
        hidden_size=shape.hidden,
        intermediate_size=shape.ffn,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.kv_heads,
        head_dim=shape.head_dim,
        max_position_embeddings=CONTEXT,
        rope_parameters={"rope_type": "default", "rope_theta": THETA},
        tie_word_embeddings=shape.tied,
        dtype=dtype,
    )
    with torch.device("meta"):
        model: Any = Qwen2ForCausalLM(config).to(getattr(torch, dtype))
    model = model.to_empty(device=device)
    rotary = type(model.model.rotary_emb)(config=config)
    model.model.rotary_emb = rotary.to(device)
    model.tie_weights()
    generator = torch.Generator(device).manual_seed(seed)
    with torch.no_grad():
        for weights in model.parameters():
            if weights.ndim == 1:
                weights.fill_(1.0)
            else:
                weights.uniform_(-0.03, 0.03, generator=generator)
    model = model.eval().requires_grad_(requires_grad=False)
    return LoadedModel(
        model=model,
        tokenizer=ChatTokenizer(_Numbers(), "random weights"),
        folder=Path(),
        device=device,
        dtype=dtype,
        fingerprint={"weights": f"random {seed}", "config": str(shape), "dtype": dtype},
        version=f"random-{seed}",
        parameters=sum(weights.numel() for weights in model.parameters()),
        weight_bytes=sum(weights.nbytes for weights in model.parameters()),
        state=StateShape(shape.layers, shape.kv_heads, shape.head_dim, dtype),
        vocab=shape.vocab,
        context=CONTEXT,
        stop_ids=frozenset(),
        needs=loading.needs(config, dtype, chunk),
    )
