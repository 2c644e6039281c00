"""The loss on numbers small enough to work out by hand."""

from __future__ import annotations

import math

import pytest
import torch

from nodes.dream_consolidator.distiller.decoding import padded
from nodes.dream_consolidator.distiller.targets import (
    Item,
    Target,
    Told,
    collate,
    divergence,
    lesson_losses,
    pack,
    unpack,
)


def item(answer: list[int], *, weight: float = 1.0, verified: bool = False) -> Item:
    return Item(prompt=[1, 2], answer=answer, weight=weight, verified=verified, rehearsal=False)


def distribution(*probabilities: float) -> torch.Tensor:
    return torch.tensor(probabilities).log()


def top(probabilities: torch.Tensor, k: int) -> Target:
    values, ids = probabilities.topk(k, dim=-1)
    return Target(ids, values.log())


def test_rows_end_together_and_positions_begin_with_the_row() -> None:
    ids, mask, positions = padded([[5], [6, 7, 8]], "cpu")
    assert ids.tolist() == [[0, 0, 5], [6, 7, 8]]
    assert mask.tolist() == [[0, 0, 1], [1, 1, 1]]
    assert positions.tolist() == [[0, 0, 0], [0, 1, 2]]


def test_divergence_over_all_ids_is_the_exact_one() -> None:
    teacher, student = torch.tensor([0.7, 0.2, 0.1]), distribution(0.1, 0.6, 0.3)
    exact = float((teacher * (teacher.log() - student)).sum())
    assert float(divergence(student, top(teacher, 3))) == pytest.approx(exact, rel=1e-5)


def test_the_tail_is_one_bucket() -> None:
    teacher, student = torch.tensor([0.6, 0.25, 0.1, 0.05]), distribution(0.3, 0.3, 0.3, 0.1)
    expected = 0.6 * math.log(0.6 / 0.3) + 0.25 * math.log(0.25 / 0.3) + 0.15 * math.log(0.15 / 0.4)
    assert float(divergence(student, top(teacher, 2))) == pytest.approx(expected, rel=1e-5)


def test_divergence_is_nothing_for_the_same_distribution_and_never_negative() -> None:
    generator = torch.Generator().manual_seed(0)
    teacher = torch.randn(50, 20, generator=generator).softmax(-1)
    other = torch.randn(50, 20, generator=generator).log_softmax(-1)
    assert float(divergence(teacher.log(), top(teacher, 5)).abs().max()) < 1e-5
    assert float(divergence(other, top(teacher, 5)).min()) > 0


def test_a_lessons_loss_is_the_mean_over_its_own_tokens() -> None:
    items = [item([2]), item([0, 1])]
    logits = torch.zeros(2, 2, 4)
    logits[0, 0] = 1000.0 * torch.arange(4)
    losses = lesson_losses(logits, collate(items, None, "cpu"), 0.2)
    assert losses.tolist() == pytest.approx([math.log(4), math.log(4)])


def test_cross_entropy_is_added_only_to_what_is_verified() -> None:
    uniform = torch.full((1, 4), 0.25)
    target = top(uniform, 4)
    items = [item([2], verified=True), item([2])]
    losses = lesson_losses(torch.zeros(2, 1, 4), collate(items, [target, target], "cpu"), 0.2)
    assert losses.tolist() == pytest.approx([0.2 * math.log(4), 0.0], abs=1e-6)


def test_unlike_lengths_leave_no_trace_in_the_gradients() -> None:
    items = [item([3]), item([0, 1, 2])]
    targets = [top(torch.full((len(each.answer), 4), 0.25), 2) for each in items]
    logits = torch.randn(2, 3, 4, generator=torch.Generator().manual_seed(1), requires_grad=True)
    lesson_losses(logits, collate(items, targets, "cpu"), 0.2).sum().backward()
    assert logits.grad is not None
    assert torch.isfinite(logits.grad).all()
    assert logits.grad[0, :2].abs().max() == 0


def test_what_was_told_survives_packing() -> None:
    target = Target(torch.tensor([[3, 1]], dtype=torch.int32), torch.tensor([[-0.1, -3.0]]))
    back = unpack(pack({"x:1/ü": Told([1, 2], [3], target)}))
    assert list(back) == ["x:1/ü"]
    assert (back["x:1/ü"].prompt, back["x:1/ü"].answer) == ([1, 2], [3])
    assert torch.equal(back["x:1/ü"].target.ids, target.ids)
    assert torch.equal(back["x:1/ü"].target.logprobs, target.logprobs)
