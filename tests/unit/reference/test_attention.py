"""Attention in blocks computes what attention is defined to be."""

import pytest

from experiments.reference import attention
from experiments.reference.family import SIZES
from experiments.reference.tokenizer import pretrained

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")


@pytest.mark.parametrize("length", [1, 7, attention.BLOCK, attention.BLOCK + 1, attention.LONGEST - 1])
def test_it_agrees_with_torch_and_so_do_its_gradients(length: int):
    torch.manual_seed(length)
    query, key, value = (torch.randn(6, length, 16, dtype=torch.float64, requires_grad=True) for _ in range(3))
    mine = attention.causal(query, key, value, 0.25)
    theirs = torch.nn.functional.scaled_dot_product_attention(query, key, value, is_causal=True, scale=0.25)
    torch.testing.assert_close(mine, theirs)
    weight = torch.randn_like(mine)
    for own, other in zip(
        torch.autograd.grad(mine, (query, key, value), weight),
        torch.autograd.grad(theirs, (query, key, value), weight),
        strict=True,
    ):
        torch.testing.assert_close(own, other)


@pytest.mark.parametrize("length", [attention.LONGEST, attention.LONGEST + 40])
@pytest.mark.parametrize("size", SIZES)
def test_a_model_trained_with_it_is_the_model_that_everybody_runs(size: str, length: int):
    from transformers import Qwen2ForCausalLM

    words = pretrained()
    torch.manual_seed(1)
    model = Qwen2ForCausalLM(SIZES[size].config(len(words), words.eos_token_id, words.pad_token_id)).eval()
    ids = torch.randint(0, len(words), (2, length))
    with torch.inference_mode():
        usual = model(ids, use_cache=False).logits
        model.set_attn_implementation(attention.register())
        blocks = model(ids, use_cache=False).logits
    torch.testing.assert_close(blocks, usual, atol=1e-4, rtol=1e-4)
