"""The weights that ship: unchanged since their release, and what the transformers library itself makes of them."""

from itertools import pairwise

import msgspec
import pytest

from experiments.reference import integrity
from experiments.reference.catalogue import parameters, released_figures, summary
from experiments.reference.curriculum import questions
from experiments.reference.family import SIZES, WEIGHTS
from experiments.reference.split import Split
from nodes.model_worker import levels
from protocol.messages.model import ChatMessage, Generate


def test_the_weights_are_as_released():
    assert integrity.differences(WEIGHTS) == []


def test_all_weights_together_are_small():
    assert sum(path.stat().st_size for path in WEIGHTS.rglob("*") if path.is_file()) < 25e6


def test_the_sizes_differ_and_grow():
    counts = [parameters(size.folder / "model.safetensors") for size in SIZES.values()]
    assert counts == sorted(counts)
    assert counts[1] > 1.5 * counts[0]
    assert counts[2] > 1.5 * counts[1]


def test_the_sizes_differ_in_depth_width_and_heads_as_the_real_ones_do():
    shapes = [(size.layers, size.width, size.width // size.heads) for size in SIZES.values()]
    assert all(
        larger > smaller for one, other in pairwise(shapes) for smaller, larger in zip(one[:2], other[:2], strict=True)
    )
    assert len({size.heads for size in SIZES.values()}) > 1
    assert len({size.kv_heads for size in SIZES.values()}) > 1
    assert len({head for *_, head in shapes}) > 1


@pytest.mark.parametrize("name", SIZES)
def test_every_size_has_a_summary_and_figures(name: str):
    assert summary(name)["layers"] == SIZES[name].layers
    assert released_figures()["figures"][name]["skills"]


ASKED = (
    ("recall_place", 8),
    ("hops", 2),
    ("addition", 2),
    ("keeping", 1),
    ("sorting", 5),
    ("untold_place", 4),
    ("days", 1),
)


@pytest.mark.parametrize("name", SIZES)
def test_plain_transformers_give_the_answers_of_the_worker(name: str):
    """Each loads the folder in its own way; same weights, same tokens, same words.

    In float32: in bfloat16 two guesses that are as good as equal may change places with the shapes of the sums.
    """
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    from nodes.model_worker.engine import Engine

    engine = Engine(msgspec.structs.replace(levels.load().by_name(name), dtype="float32"))
    folder = SIZES[name].folder
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder, local_files_only=True)
    model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, local_files_only=True)
    for skill, difficulty in ASKED:
        for asked in questions(Split.HELD_OUT, skill, difficulty, 3, 3):
            messages = [{"role": message.role, "content": message.content} for message in asked.messages]
            prompt = tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_tensors="pt")
            said = model.generate(**prompt)[0, prompt["input_ids"].shape[1] :]
            answer = engine.generate(Generate(messages=[ChatMessage(**message) for message in messages]))
            assert answer.text == tokenizer.decode(said, skip_special_tokens=True), asked


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
