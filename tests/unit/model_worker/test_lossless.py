import os

import pytest

from nodes.model_worker.kv.codecs import lossless


@pytest.mark.parametrize("name", lossless.NAMES)
@pytest.mark.parametrize("item", [2, 4])
@pytest.mark.parametrize("count", [1, 3, 1000])
def test_bytes_come_back_as_they_were(name: str, item: int, count: int) -> None:
    plain = os.urandom(item * count)
    assert lossless.decode(name, lossless.encode(name, plain, item), len(plain), item) == plain


def test_bytes_of_equal_significance_lie_together() -> None:
    assert lossless.shuffle(b"aAbBcC", 2) == b"abcABC"


def test_another_length_or_no_zstd_is_refused() -> None:
    packed = lossless.encode(lossless.NAME, b"abcd", 2)
    with pytest.raises(ValueError, match="instead of 6"):
        lossless.decode(lossless.NAME, packed, 6, 2)
    with pytest.raises(ValueError, match="not zstd"):
        lossless.decode(lossless.NAME, b"no such thing", 4, 2)
    with pytest.raises(ValueError, match="instead of 6"):
        lossless.decode(lossless.RAW, b"abcd", 6, 2)
