import os

import pytest

from nodes.model_worker.kv import codec


@pytest.mark.parametrize("item", [2, 4])
@pytest.mark.parametrize("count", [1, 3, 1000])
def test_bytes_come_back_as_they_were(item: int, count: int) -> None:
    plain = os.urandom(item * count)
    assert codec.decode(codec.encode(plain, item), len(plain), item) == plain


def test_bytes_of_equal_significance_lie_together() -> None:
    assert codec.shuffle(b"aAbBcC", 2) == b"abcABC"


def test_another_length_or_no_zstd_is_refused() -> None:
    packed = codec.encode(b"abcd", 2)
    with pytest.raises(ValueError, match="instead of 6"):
        codec.decode(packed, 6, 2)
    with pytest.raises(ValueError, match="not zstd"):
        codec.decode(b"no such thing", 4, 2)
