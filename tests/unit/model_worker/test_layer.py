import pytest
import torch
from torch import Tensor
from transformers.cache_utils import DynamicLayer

from nodes.model_worker.kv.layer import STEP, GrowingLayer


def states(tokens: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(1, 2, tokens, 4, generator=generator), torch.randn(1, 2, tokens, 4, generator=generator)


def test_it_holds_what_transformers_own_layer_would_hold() -> None:
    ours, theirs = GrowingLayer(), DynamicLayer()
    for seed, tokens in enumerate([5, 1, 1, STEP, 1, 3 * STEP, 1]):
        kept, expected = ours.update(*states(tokens, seed)), theirs.update(*states(tokens, seed))
        assert all(map(torch.equal, kept, expected))
    ours.crop(-100)
    theirs.crop(-100)
    assert all(map(torch.equal, ours.update(*states(2, 9)), theirs.update(*states(2, 9))))
    assert ours.get_seq_length() == theirs.get_seq_length()
    assert ours.get_mask_sizes(7) == theirs.get_mask_sizes(7)


def test_within_its_room_a_new_token_moves_no_earlier_one() -> None:
    layer = GrowingLayer()
    layer.reserve(100)
    before = layer.update(*states(5))[0].data_ptr()
    for seed in range(90):
        assert layer.update(*states(1, seed))[0].data_ptr() == before
    assert layer.capacity == 2 * STEP


def test_growing_past_its_room_takes_half_as_much_again() -> None:
    layer = GrowingLayer()
    layer.update(*states(10 * STEP))
    layer.update(*states(1))
    assert layer.capacity == 15 * STEP


def test_cropping_keeps_the_room_and_what_comes_then_overwrites() -> None:
    layer = GrowingLayer()
    keys, _ = states(6)
    layer.update(*states(6))
    size = layer.nbytes
    layer.crop(-4)
    new, _ = layer.update(*states(1, 7))
    assert torch.equal(new, torch.cat([keys[:, :, :2], states(1, 7)[0]], dim=2))
    assert layer.nbytes == size


@pytest.mark.parametrize("tokens", [1, -7])
def test_cropping_what_is_not_there_is_refused(tokens: int) -> None:
    layer = GrowingLayer()
    layer.update(*states(6))
    with pytest.raises(ValueError, match="of 6 tokens"):
        layer.crop(tokens)


def test_it_can_be_emptied_and_used_again() -> None:
    layer = GrowingLayer()
    layer.update(*states(6))
    layer.reset()
    assert (layer.nbytes, layer.get_seq_length(), layer.keys) == (0, 0, None)
    assert layer.update(*states(2))[0].shape == (1, 2, 2, 4)


def test_beams_are_refused() -> None:
    with pytest.raises(NotImplementedError, match="beams"):
        GrowingLayer().reorder_cache(torch.tensor([0]))
