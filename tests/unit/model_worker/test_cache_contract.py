"""What this project relies on in transformers' caches. A new version that breaks one of these breaks us silently."""

from typing import Any

import pytest
import torch
from transformers.cache_utils import CacheLayerMixin, DynamicCache, DynamicLayer

IDS = torch.arange(10, 22)[None]


def test_a_cache_is_as_long_as_what_was_forwarded_so_the_last_sampled_token_has_no_state(model: Any) -> None:
    cache = DynamicCache(config=model.config)
    ids = model.generate(
        IDS,
        attention_mask=torch.ones_like(IDS),
        past_key_values=cache,
        max_new_tokens=5,
        do_sample=False,
        eos_token_id=-1,
    )
    assert cache.get_seq_length() == ids.shape[1] - 1


def test_a_model_without_windows_has_plain_dynamic_layers(model: Any) -> None:
    layers = DynamicCache(config=model.config).layers
    assert [type(layer) for layer in layers] == [DynamicLayer] * model.config.num_hidden_layers


def test_crop_takes_negative_numbers_and_over_cropping_empties_in_silence(model: Any) -> None:
    cache = model(IDS, use_cache=True).past_key_values
    with pytest.raises(ValueError, match="positive"):
        cache.crop(3)
    cache.crop(-2)
    assert cache.get_seq_length() == IDS.shape[1] - 2
    cache.crop(-100)
    assert cache.get_seq_length() == 0


def test_positions_and_mask_follow_from_the_length_of_the_cache(model: Any) -> None:
    cold = model(IDS).logits[0, -1]
    cache = DynamicCache(config=model.config)
    model(IDS[:, :7], past_key_values=cache)
    warm = model(IDS[:, 7:], past_key_values=cache).logits[0, -1]
    torch.testing.assert_close(warm, cold, atol=1e-4, rtol=0)


def test_a_cache_of_other_tokens_is_accepted_with_wrong_logits_and_no_error(model: Any) -> None:
    cache = DynamicCache(config=model.config)
    model(IDS[:, :7] + 1, past_key_values=cache)
    wrong = model(IDS[:, 7:], past_key_values=cache).logits[0, -1]
    assert (wrong - model(IDS).logits[0, -1]).abs().max() > 0.1


@pytest.mark.parametrize("keep", [1, torch.tensor([IDS.shape[1] - 1])], ids=["a number", "an index"])
def test_logits_to_keep_gives_the_last_ones_only(model: Any, keep: Any) -> None:
    last = model(IDS, logits_to_keep=keep).logits
    assert last.shape[1] == 1
    torch.testing.assert_close(last[0, -1], model(IDS).logits[0, -1], atol=1e-5, rtol=0)


def test_a_layer_of_ours_has_to_provide_exactly_this() -> None:
    assert CacheLayerMixin.__abstractmethods__ == {
        "lazy_initialization",
        "update",
        "get_mask_sizes",
        "get_seq_length",
        "get_max_length",
    }
