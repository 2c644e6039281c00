"""One layer's keys and values as bytes, losslessly: bytes of equal significance side by side, then zstd. No torch.

The high bytes of neighbouring floats (sign, exponent) resemble each other, the low ones are noise; apart they compress,
mixed they do not (byte shuffle, as in HDF5 and Blosc).
"""

import zstandard

NAME, RAW = "shuffle+zstd", "raw"
NAMES = (NAME, RAW)
LEVEL = 1
"""zstd's fastest: beyond it the noise of the low bytes costs time and yields nothing."""


def encode(name: str, plain: bytes, item: int) -> bytes:
    """`name`: one of `NAMES`. `item`: bytes of one number."""
    if name == RAW:
        return plain
    return zstandard.ZstdCompressor(level=LEVEL).compress(shuffle(plain, item))


def decode(name: str, packed: bytes, size: int, item: int) -> bytes:
    """The `size` bytes that were encoded. Raises ValueError if they do not come out."""
    plain = packed if name == RAW else unpacked(packed, size)
    if len(plain) != size:
        raise ValueError(f"{len(plain)} bytes instead of {size}")
    return plain if name == RAW else shuffle(plain, size // item if item else 1)


def unpacked(packed: bytes, size: int) -> bytes:
    """What zstd made small, at most so many bytes. Raises ValueError for what it did not."""
    try:
        return zstandard.ZstdDecompressor().decompress(packed, max_output_size=size)
    except zstandard.ZstdError as error:
        raise ValueError(f"not zstd: {error}") from error


def shuffle(plain: bytes, item: int) -> bytes:
    """First bytes of all items, then second bytes, and so on. With the number of items as `item` it undoes itself."""
    import numpy as np

    return np.frombuffer(plain, dtype=np.uint8).reshape(-1, item).T.tobytes()
