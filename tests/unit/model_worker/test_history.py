import pytest

from nodes.model_worker.kv.history import Divergence, Match, common_prefix, match

HELD = [1, 2, 3, 4]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ([1, 2, 3, 4, 5, 6], Match(4, 2)),
        ([1, 2, 9, 4, 5], Match(2, 3, Divergence(2, 3, 9))),
        ([1, 2], Match(1, 1)),
        ([1, 2, 3, 4], Match(3, 1)),
        ([9], Match(0, 1, Divergence(0, 1, 9))),
        ([9, 2, 3], Match(0, 3, Divergence(0, 1, 9))),
    ],
    ids=["goes on", "edited", "shorter", "same", "other and short", "other"],
)
def test_a_request_reuses_its_common_prefix_and_computes_at_least_one_token(given: list[int], expected: Match) -> None:
    assert match(HELD, given) == expected


def test_with_nothing_held_everything_is_computed() -> None:
    assert match([], [5, 6]) == Match(0, 2)


def test_a_request_without_tokens_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one token"):
        match(HELD, [])


@pytest.mark.parametrize("at", [0, 1, 1023, 1024, 1025, 2999])
def test_a_difference_is_found_on_either_side_of_a_stride(at: int) -> None:
    left = list(range(3000))
    right = left.copy()
    right[at] = -1
    assert common_prefix(left, right) == at
    assert common_prefix(left, left[:at]) == at
