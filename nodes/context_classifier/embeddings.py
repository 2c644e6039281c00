"""A table of word vectors in a file, read where it lies: nothing of it is in memory but the pages that were touched.

The file is a safetensors file (github.com/huggingface/safetensors, `format`): eight bytes of length, a JSON header,
then the tensors. Four are expected, for n words of d numbers:

    vectors [n, d] F16   in the order of `words`; of several blocks side by side, see `blocks` in the metadata
    weights [n]    F32   how much a word counts in a sentence, 0..1
    offsets [n+1]  U32   where each word begins in `words`
    words   [bytes] U8   the words in UTF-8, sorted, without anything between them
"""

from __future__ import annotations

import hashlib
import json
import mmap
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from protocol.errors import SageError

if TYPE_CHECKING:
    from nodes.context_classifier.vectors import Vector

_DTYPES = {"F16": "<f2", "F32": "<f4", "U32": "<u4", "U8": "u1"}


class EmbeddingsUnreadable(SageError):
    code = "context.embeddings"


class WordTable:
    """Row of a word, and what stands in it."""

    def __init__(self, path: Path) -> None:
        """Raises `EmbeddingsUnreadable`."""
        try:
            tensors, about, self.fingerprint = _mapped(path)
            self.blocks = _blocks(about["blocks"])
            self.vectors, self.weights = tensors["vectors"], tensors["weights"]
            self._offsets, self._words = tensors["offsets"], tensors["words"]
            self.count, self.dimensions = self.vectors.shape
            self._check()
        except (OSError, KeyError, ValueError, TypeError) as error:
            raise EmbeddingsUnreadable(
                f"no table of word vectors: {error!r}",
                place=str(path),
                remedy="make it with `sage context export`, or set `encoder: hashed` in configs/context.yaml",
            ) from error
        self.row = lru_cache(maxsize=4096)(self._row)

    def _check(self) -> None:
        if sum(self.blocks.values()) != self.dimensions:
            raise ValueError("its blocks are not as wide as its vectors")
        if len(self.weights) != self.count or len(self._offsets) != self.count + 1:
            raise ValueError("its tensors are of different lengths")
        if int(self._offsets[-1]) != len(self._words):
            raise ValueError("its words end elsewhere than its offsets say")

    def word(self, row: int) -> str:
        return bytes(self._words[self._offsets[row] : self._offsets[row + 1]]).decode()

    def vector(self, row: int) -> Vector:
        """[dimensions] float32."""
        import numpy as np

        return self.vectors[row].astype(np.float32)

    def _row(self, word: str) -> int:
        """-1 where the word is not in the table. By bisection: the bytes of sorted words are sorted."""
        wanted, low, high = word.encode(), 0, self.count
        while low < high:
            middle = (low + high) // 2
            if bytes(self._words[self._offsets[middle] : self._offsets[middle + 1]]) < wanted:
                low = middle + 1
            else:
                high = middle
        return low if low < self.count and self.word(low) == word else -1


def write(words: list[str], vectors: Vector, weights: Vector, about: dict[str, str]) -> bytes:
    """The bytes of a table: `words` [n] in any order, `vectors` [n, d], `weights` [n]; `about` goes into the header."""
    import numpy as np

    order = sorted(range(len(words)), key=lambda row: words[row].encode())
    texts = [words[row].encode() for row in order]
    tensors = {
        "vectors": ("F16", vectors[order].astype("<f2")),
        "weights": ("F32", weights[order].astype("<f4")),
        "offsets": ("U32", np.cumsum([0, *map(len, texts)]).astype("<u4")),
        "words": ("U8", np.frombuffer(b"".join(texts), dtype="u1")),
    }
    header: dict[str, Any] = {"__metadata__": about}
    place = 0
    for name, (dtype, tensor) in tensors.items():
        header[name] = {"dtype": dtype, "shape": list(tensor.shape), "data_offsets": [place, place + tensor.nbytes]}
        place += tensor.nbytes
    text = json.dumps(header, sort_keys=True).encode()
    text += b" " * (-len(text) % 8)
    return b"".join((len(text).to_bytes(8, "little"), text, *(tensor.tobytes() for _, tensor in tensors.values())))


def _blocks(text: str) -> dict[str, int]:
    """Name → width, in their order: `model:96 company:64`."""
    return {name: int(width) for name, width in (block.split(":") for block in text.split())}


def _mapped(path: Path) -> tuple[dict[str, Any], dict[str, str], str]:
    """The tensors of a file by name, its metadata, and a digest of its header and first vectors."""
    import numpy as np

    with open(path, "rb") as file:
        data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    length = int.from_bytes(data[:8], "little")
    if not 0 < length <= len(data) - 8:
        raise ValueError("its header is longer than the file")
    header = json.loads(data[8 : 8 + length])
    tensors = {}
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        begin, end = entry["data_offsets"]
        dtype = np.dtype(_DTYPES[entry["dtype"]])
        if not 0 <= begin <= end <= len(data) - 8 - length:
            raise ValueError(f"{name} lies outside the file")
        flat = np.frombuffer(data, dtype=dtype, count=(end - begin) // dtype.itemsize, offset=8 + length + begin)
        tensors[name] = flat.reshape(entry["shape"])
    digest = hashlib.blake2b(data[: 8 + length], digest_size=8)
    digest.update(data[8 + length : 8 + length + 65536])
    return tensors, header["__metadata__"], digest.hexdigest()
