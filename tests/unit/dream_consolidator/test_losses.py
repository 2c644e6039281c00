"""The losses on numbers small enough to work out by hand, and on many more for what must hold of all."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nodes.dream_consolidator.distiller.losses import Target, divergence, token_losses

DIVERGENCES = ("forward_kl", "reverse_kl", "jsd")
LOSSES = (*DIVERGENCES, "mse")
BETA = 0.3
VOCAB = 12


def top(probabilities: torch.Tensor, k: int) -> Target:
    values, ids = probabilities.topk(k, dim=-1)
    return Target(ids, values.log())


def dense(p: torch.Tensor, q: torch.Tensor, loss: str) -> torch.Tensor:
    """The textbook's formula over whole distributions [tokens, vocab], in float64."""
    p, q = p.double(), q.double()

    def kl(one: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
        return (one * (one / other).log()).sum(-1)

    mixture = BETA * p + (1 - BETA) * q
    return {
        "forward_kl": lambda: kl(p, q),
        "reverse_kl": lambda: kl(q, p),
        "jsd": lambda: BETA * kl(p, mixture) + (1 - BETA) * kl(q, mixture),
        "mse": lambda: (p.log() - q.log()).square().mean(-1),
    }[loss]()


@st.composite
def pairs(draw: st.DrawFn) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits of a source and of a student, mild to very sure of themselves."""
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**32)))
    sharp, other = draw(st.floats(0.1, 6)), draw(st.floats(0.1, 6))
    return (
        sharp * torch.randn(4, VOCAB, generator=generator),
        other * torch.randn(4, VOCAB, generator=generator),
    )


@given(pairs(), st.sampled_from(LOSSES), st.integers(1, VOCAB))
@settings(deadline=None)
def test_no_loss_is_negative_and_each_is_nothing_for_the_same_distribution(
    pair: tuple[torch.Tensor, torch.Tensor], loss: str, k: int
) -> None:
    source, student = pair
    target = top(source.softmax(-1), k)
    assert float(divergence(student.log_softmax(-1), target, loss=loss, beta=BETA).min()) >= -1e-6
    assert float(divergence(source.log_softmax(-1), target, loss=loss, beta=BETA).abs().max()) < 1e-5


@given(pairs(), st.sampled_from(LOSSES))
@settings(deadline=None)
def test_with_all_ids_named_a_loss_is_the_dense_one(pair: tuple[torch.Tensor, torch.Tensor], loss: str) -> None:
    source, student = (logits.softmax(-1) for logits in pair)
    found = divergence(student.log(), top(source, VOCAB), loss=loss, beta=BETA)
    torch.testing.assert_close(found.double(), dense(source, student, loss), rtol=2e-3, atol=1e-4)


@given(pairs(), st.sampled_from(LOSSES), st.integers(1, VOCAB), st.integers(0, VOCAB - 1))
@settings(deadline=None)
def test_gradients_are_finite_where_a_source_names_fewer_and_where_a_student_rules_words_out(
    pair: tuple[torch.Tensor, torch.Tensor], loss: str, k: int, unnamed: int
) -> None:
    source, student = pair
    target = top(source.softmax(-1), k)
    target.logprobs[0, k - min(unnamed, k - 1) :] = -math.inf
    logits = student.clone()
    logits[1, : VOCAB // 2] = -math.inf
    logits.requires_grad_()
    losses = token_losses(logits, torch.full((4,), VOCAB - 1), torch.ones(4), target, loss=loss, beta=BETA, share=0.2)
    losses.sum().backward()
    assert torch.isfinite(losses).all()
    assert logits.grad is not None
    assert torch.isfinite(logits.grad).all()


def test_the_tail_is_one_bucket() -> None:
    teacher, student = torch.tensor([[0.6, 0.25, 0.1, 0.05]]), torch.tensor([[0.3, 0.3, 0.3, 0.1]])
    p, q = torch.tensor([0.6, 0.25, 0.15]), torch.tensor([0.3, 0.3, 0.4])
    for loss in DIVERGENCES:
        found = float(divergence(student.log(), top(teacher, 2), loss=loss, beta=BETA))
        assert found == pytest.approx(float(dense(p, q, loss)), rel=1e-4), loss


def test_what_a_source_did_not_name_counts_to_the_tail() -> None:
    teacher, student = torch.tensor([[0.6, 0.25, 0.1, 0.05]]), torch.randn(1, 4).log_softmax(-1)
    named, two = top(teacher, 3), top(teacher, 2)
    named.logprobs[0, 2] = -math.inf
    for loss in LOSSES:
        one, other = (float(divergence(student, target, loss=loss, beta=BETA)) for target in (named, two))
        assert one == pytest.approx(other, rel=1e-4), loss


def test_the_generalised_jsd_tends_to_both_divergences() -> None:
    source, student = (torch.randn(5, VOCAB).softmax(-1) for _ in range(2))
    target = top(source, 4)
    near = 1e-3
    forward = divergence(student.log(), target, loss="jsd", beta=near) / near
    reverse = divergence(student.log(), target, loss="jsd", beta=1 - near) / near
    torch.testing.assert_close(forward, divergence(student.log(), target, loss="forward_kl"), rtol=0.05, atol=0.01)
    torch.testing.assert_close(reverse, divergence(student.log(), target, loss="reverse_kl"), rtol=0.05, atol=0.01)


def test_cross_entropy_is_added_only_to_what_is_verified() -> None:
    target = top(torch.full((2, 4), 0.25), 4)
    words, verified = torch.tensor([2, 2]), torch.tensor([1.0, 0.0])
    losses = token_losses(torch.zeros(2, 4), words, verified, target, loss="forward_kl", beta=BETA, share=0.2)
    assert losses.tolist() == pytest.approx([0.2 * math.log(4), 0.0], abs=1e-6)


def test_the_words_alone_are_learned_by_name_and_where_there_is_no_target() -> None:
    target = top(torch.tensor([[0.7, 0.1, 0.1, 0.1]]), 4)
    for given_target, loss in ((target, "cross_entropy"), (None, "forward_kl")):
        losses = token_losses(
            torch.zeros(1, 4), torch.tensor([1]), torch.zeros(1), given_target, loss=loss, beta=BETA, share=0.2
        )
        assert losses.tolist() == pytest.approx([math.log(4)])
