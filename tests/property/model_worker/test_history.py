from hypothesis import given
from hypothesis import strategies as st

from nodes.model_worker.generation import chunks
from nodes.model_worker.kv.history import common_prefix, match

IDS = st.lists(st.integers(0, 2), max_size=12)


@given(prefix=st.lists(st.integers(0, 2), max_size=2100), left=IDS, right=IDS)
def test_the_common_prefix_is_common_and_the_longest(prefix: list[int], left: list[int], right: list[int]) -> None:
    left, right = prefix + left, prefix + right
    length = common_prefix(left, right)
    assert left[:length] == right[:length]
    assert length == min(len(left), len(right)) or left[length] != right[length]


@given(held=IDS, given_=st.lists(st.integers(0, 2), min_size=1, max_size=12))
def test_a_match_covers_the_request_and_divergence_is_where_it_departs(held: list[int], given_: list[int]) -> None:
    found = match(held, given_)
    assert found.reused + found.computed == len(given_)
    assert found.computed >= 1
    assert held[: found.reused] == given_[: found.reused]
    if found.divergence is None:
        shorter = min(len(held), len(given_))
        assert held[:shorter] == given_[:shorter]
    else:
        at = found.divergence.index
        assert (held[at], given_[at]) == (found.divergence.held, found.divergence.given)
        assert found.reused == at


@given(start=st.integers(0, 50), count=st.integers(0, 50), size=st.integers(1, 20))
def test_chunks_cover_everything_once_and_break_only_at_multiples(start: int, count: int, size: int) -> None:
    spans = list(chunks(start, start + count, size))
    assert [index for span in spans for index in range(*span)] == list(range(start, start + count))
    assert all(end % size == 0 for _, end in spans[:-1])
    assert all(end - begin <= size for begin, end in spans)
