import math

import pytest
import torch

from nodes.model_worker.sampling import Sampler, Sampling

LOGITS = torch.tensor([0.0, 2.0, 1.0, -1.0])


def drawn(sampling: Sampling, count: int = 400) -> set[int]:
    sampler = Sampler(sampling)
    return {sampler.choose(LOGITS).id for _ in range(count)}


def test_greedy_takes_the_likeliest_with_its_log_probability_and_margin() -> None:
    choice = Sampler(Sampling()).choose(LOGITS)
    assert choice.id == 1
    assert choice.logprob == pytest.approx(math.log(torch.softmax(LOGITS, 0)[1].item()), abs=1e-6)
    assert choice.margin == 1.0


def test_the_same_seed_draws_the_same_and_another_seed_another() -> None:
    def draw(seed: int) -> list[int]:
        sampler = Sampler(Sampling(temperature=2.0, seed=seed))
        return [sampler.choose(LOGITS).id for _ in range(50)]

    assert draw(1) == draw(1) != draw(2)


def test_everything_can_be_drawn_unless_top_k_or_top_p_cuts_it_off() -> None:
    assert drawn(Sampling(temperature=1.0)) == {0, 1, 2, 3}
    assert drawn(Sampling(temperature=1.0, top_k=2)) == {1, 2}
    assert drawn(Sampling(temperature=1.0, top_k=99)) == {0, 1, 2, 3}


def test_top_p_keeps_the_fewest_that_reach_it_and_at_least_one() -> None:
    # Probabilities are .644 .237 .087 .032 in order of rank.
    assert drawn(Sampling(temperature=1.0, top_p=0.6)) == {1}
    assert drawn(Sampling(temperature=1.0, top_p=0.7)) == {1, 2}
    assert drawn(Sampling(temperature=1.0, top_p=0.9)) == {1, 2, 0}
    assert drawn(Sampling(temperature=1.0, top_p=1e-9)) == {1}


def test_the_frequencies_are_those_of_the_softmax_at_that_temperature() -> None:
    sampler = Sampler(Sampling(temperature=2.0))
    counts = torch.bincount(torch.tensor([sampler.choose(LOGITS).id for _ in range(4000)]), minlength=4)
    torch.testing.assert_close(counts / 4000, torch.softmax(LOGITS / 2, 0), atol=0.03, rtol=0)


def test_the_log_probability_of_a_drawn_token_is_the_models_own() -> None:
    choice = Sampler(Sampling(temperature=5.0, top_k=3, seed=3)).choose(LOGITS)
    assert choice.logprob == pytest.approx(torch.log_softmax(LOGITS, 0)[choice.id].item(), abs=1e-6)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"temperature": -1.0}, "temperature"),
        ({"temperature": math.nan}, "temperature"),
        ({"top_p": 0.0}, "top_p"),
        ({"top_p": 1.5}, "top_p"),
        ({"top_k": -1}, "top_k"),
    ],
)
def test_values_that_cannot_be_meant_are_refused(changes: dict[str, float], named: str) -> None:
    with pytest.raises(ValueError, match=named):
        Sampling(**changes)  # type: ignore[arg-type]
