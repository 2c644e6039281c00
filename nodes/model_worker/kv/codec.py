"""One layer's keys and values as bytes, losslessly: bytes of equal significance side by side, then zstd. No torch.

The high bytes of neighbouring floats (sign, exponent) resemble each other, the low ones are noise; apart they compress,
mixed they do not (byte shuffle, as in HDF5 and Blosc).
"""

import zstandard

NAME = "shuffle+zstd"
LEVEL = 1
"""zstd's fastest: beyond it the noise of the low bytes costs time and yields nothing."""


def encode(plain: bytes, item: int) -> bytes:
    """`item`: bytes of one number."""
    return zstandard.ZstdCompressor(level=LEVEL).compress(shuffle(plain, item))


def decode(packed: bytes, size: int, item: int) -> bytes:
    """The `size` bytes that were encoded. Raises ValueError if they do not come out."""
    try:
        shuffled = zstandard.ZstdDecompressor().decompress(packed, max_output_size=size)
    except zstandard.ZstdError as error:
        raise ValueError(f"not zstd: {error}") from error
    if len(shuffled) != size:
        raise ValueError(f"{len(shuffled)} bytes instead of {size}")
    return shuffle(shuffled, size // item if item else 1)


def shuffle(plain: bytes, item: int) -> bytes:
    """First bytes of all items, then second bytes, and so on. With the number of items as `item` it undoes itself."""
    import numpy as np

    return np.frombuffer(plain, dtype=np.uint8).reshape(-1, item).T.tobytes()
