"""Other decoders than Qwen2: what is kept of them is resumed to the last bit, or they are refused by name."""

from pathlib import Path
from typing import Any

import pytest
import torch

from nodes.model_worker.engine import Engine
from nodes.model_worker.errors import ModelUnfit
from nodes.model_worker.kv.chunkfile import Keys
from nodes.model_worker.kv.vault import Vault
from nodes.model_worker.levels import Level
from protocol.messages.model import Generate, Generated
from runtime.identity import HostIdentity
from tests.unit.model_worker import tiny

SHAPE: dict[str, Any] = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "vocab_size": 300,
    "max_position_embeddings": 512,
    "pad_token_id": 0,
    "bos_token_id": None,
    "eos_token_id": None,
    "initializer_range": 0.3,
}
GROUPED: dict[str, Any] = {"intermediate_size": 64, "num_key_value_heads": 2}
KINDS: dict[str, dict[str, Any]] = {
    "gpt2": {},
    "llama": GROUPED,
    "phi3": GROUPED,
    "mistral": {**GROUPED, "sliding_window": None},
}
ASKED = [7 * i % 290 + 3 for i in range(70)]


def saved(folder: Path, kind: str, **changes: Any) -> Level:
    from transformers import AutoConfig, AutoModelForCausalLM

    torch.manual_seed(0)
    AutoModelForCausalLM.from_config(AutoConfig.for_model(kind, **SHAPE, **changes)).save_pretrained(folder)
    tiny.tokenizer().save_pretrained(folder)
    return Level(
        name=kind, model=str(folder), device="cpu", dtype="float32", context=400, max_new_tokens=8, prefill_chunk=16
    )


def ask(engine: Engine, ids: list[int], exactness: str = "continuous") -> Generated:
    return engine.generate(Generate(ids=ids, session="s", max_new_tokens=6, exactness=exactness))


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_kept_is_resumed_to_the_last_bit(kind: str, tmp_path: Path) -> None:
    level = saved(tmp_path / kind, kind, **KINDS[kind])
    vault = Vault(tmp_path / "attention", Keys(HostIdentity.load(tmp_path)), budget=1 << 30)
    whole, first = Engine(level), Engine(level, vault=vault)
    ids = [*ASKED, *ask(first, ASKED).ids, 11]
    assert ask(whole, ASKED).ids == ids[70:-1]
    first.close()
    uninterrupted, resumed = ask(whole, ids), ask(Engine(level, vault=vault), ids)
    assert resumed.tokens_restored == uninterrupted.tokens_reused == len(ids) - 2
    assert (resumed.ids, resumed.confidence) == (uninterrupted.ids, uninterrupted.confidence)
    cold = ask(Engine(level, vault=vault), ids, "cold")
    nothing = ask(Engine(level), ids)
    assert (cold.ids, cold.confidence) == (nothing.ids, nothing.confidence)
    assert cold.tokens_reused == 64
    vault.close()


@pytest.mark.parametrize(
    ("kind", "changes", "what"),
    [
        ("mistral", {**GROUPED, "sliding_window": 16}, "SlidingWindow"),
        (
            "qwen2",
            {**GROUPED, "use_sliding_window": True, "sliding_window": 16, "max_window_layers": 1},
            "SlidingWindow",
        ),
    ],
)
def test_what_cannot_be_truncated_is_refused_by_name(kind: str, changes: Any, what: str, tmp_path: Path) -> None:
    level = saved(tmp_path / kind, kind, **changes)
    with pytest.raises(ModelUnfit, match=what):
        Engine(level).load()
