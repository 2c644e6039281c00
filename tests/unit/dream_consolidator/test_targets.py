"""Lessons put together, and kept."""

from __future__ import annotations

import torch

from nodes.dream_consolidator.distiller.targets import Item, Target, Told, collate, pack, unpack
from nodes.model_worker.batch import padded


def item(answer: list[int], *, weight: float = 1.0, verified: bool = False) -> Item:
    return Item(prompt=[1, 2], answer=answer, weight=weight, verified=verified, rehearsal=False)


def test_rows_end_together_and_positions_begin_with_the_row() -> None:
    ids, mask, positions = padded([[5], [6, 7, 8]], "cpu")
    assert ids.tolist() == [[0, 0, 5], [6, 7, 8]]
    assert mask.tolist() == [[0, 0, 1], [1, 1, 1]]
    assert positions.tolist() == [[0, 0, 0], [0, 1, 2]]


def test_answers_stand_in_one_row_and_each_lesson_gets_the_mean_of_its_own() -> None:
    batch = collate([item([2], weight=3.0, verified=True), item([0, 1])], None, "cpu")
    assert batch.words.tolist() == [2, 0, 1]
    assert batch.verified.tolist() == [1.0, 0.0, 0.0]
    assert batch.weights.tolist() == [3.0, 1.0]
    assert batch.means(torch.tensor([5.0, 1.0, 2.0])).tolist() == [5.0, 1.5]


def test_what_a_source_did_not_name_is_never_expected_beside_one_that_named_more() -> None:
    few = Target(torch.tensor([[3]], dtype=torch.int32), torch.tensor([[-0.1]]))
    more = Target(torch.tensor([[3, 1]], dtype=torch.int32), torch.tensor([[-0.1, -3.0]]))
    batch = collate([item([2]), item([0])], [few, more], "cpu")
    assert batch.target is not None
    assert batch.target.ids.tolist() == [[3, 0], [3, 1]]
    assert batch.target.logprobs[0, 1] == -torch.inf


def test_what_was_told_survives_packing() -> None:
    target = Target(torch.tensor([[3, 1]], dtype=torch.int32), torch.tensor([[-0.1, -3.0]]))
    back = unpack(pack({"x:1/ü": Told([1, 2], [3], target)}))
    assert list(back) == ["x:1/ü"]
    assert (back["x:1/ü"].prompt, back["x:1/ü"].answer) == ([1, 2], [3])
    assert torch.equal(back["x:1/ü"].target.ids, target.ids)
    assert torch.equal(back["x:1/ü"].target.logprobs, target.logprobs)
