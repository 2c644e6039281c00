"""The weights that ship: unchanged since their release, and what the transformers library itself makes of them."""

import pytest

from experiments.reference import integrity
from experiments.reference.catalogue import parameters, released_figures, summary
from experiments.reference.family import SIZES, WEIGHTS


def test_the_weights_are_as_released():
    assert integrity.differences(WEIGHTS) == []


def test_all_weights_together_are_small():
    assert sum(path.stat().st_size for path in WEIGHTS.rglob("*") if path.is_file()) < 20e6


def test_the_sizes_differ_and_grow():
    counts = [parameters(size.folder / "model.safetensors") for size in SIZES.values()]
    assert counts == sorted(counts)
    assert counts[1] > 2 * counts[0]
    assert counts[2] > 2 * counts[1]


@pytest.mark.parametrize("name", SIZES)
def test_every_size_has_a_summary_and_figures(name: str):
    assert summary(name)["layers"] == SIZES[name].layers
    assert released_figures()["figures"][name]["skills"]


def test_the_smallest_answers_by_plain_transformers():
    pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    import torch

    torch.set_num_threads(1)
    folder = SIZES["sensory"].folder
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder, local_files_only=True)
    model = transformers.AutoModelForCausalLM.from_pretrained(folder, local_files_only=True)
    prompt = tokenizer.apply_chat_template(
        [{"role": "user", "content": "turn on the lamp in the kitchen"}],
        add_generation_prompt=True,
        return_tensors="pt",
    )
    said = model.generate(**prompt)
    answer = tokenizer.decode(said[0, prompt["input_ids"].shape[1] :], skip_special_tokens=True)
    assert answer == "the lamp in the kitchen is on."
    assert model.config.model_type == "qwen2"
    assert model.model.layers[0].self_attn.k_proj.bias is not None
