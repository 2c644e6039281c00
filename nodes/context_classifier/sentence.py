"""A sentence encoder in a local folder, run by onnxruntime: `model.onnx` and `tokenizer.json`. Nothing is downloaded.

The vector of a text is the mean of its tokens' last hidden states, as sentence-transformers pools by default (Reimers &
Gurevych 2019); a model that pools by itself is taken at its word. Needs the extra `sentence`.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nodes.context_classifier.awaited import Ask, Read
from protocol.errors import SageError

if TYPE_CHECKING:
    from nodes.context_classifier.vectors import Vector

MODEL, TOKENIZER = "model.onnx", "tokenizer.json"
LONGEST_TOKENS = 512
"""Of a longer text only the beginning is read: most sentence encoders know no more places."""


class SentenceEncoderMissing(SageError):
    code = "context.sentence"


class Sentences:
    """Reads texts, one at a time."""

    def __init__(self, folder: Path) -> None:
        """Raises `SentenceEncoderMissing` where the folder or a package is not as it must be."""
        self.digest = _digest(folder)
        with _needed(folder):
            from onnxruntime import InferenceSession, SessionOptions
            from tokenizers import Tokenizer

            options = SessionOptions()
            options.intra_op_num_threads = options.inter_op_num_threads = 1
            self._session: Any = InferenceSession(
                str(folder / MODEL), sess_options=options, providers=["CPUExecutionProvider"]
            )
            self._tokenizer: Any = Tokenizer.from_file(str(folder / TOKENIZER))
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(max_length=LONGEST_TOKENS)
        self._inputs = {each.name for each in self._session.get_inputs()}

    async def read(self, text: str, _ask: Ask) -> Read:
        """As a `Reader`; the event loop stays free meanwhile."""
        return await asyncio.to_thread(self.now, text)

    def now(self, text: str) -> Read:
        return Read(self._vector(text), self.digest, self.digest)

    def _vector(self, text: str) -> Vector:
        """[width]; all zeros for a text without a token."""
        import numpy as np

        encoded = self._tokenizer.encode(text)
        given = {
            "input_ids": np.array([encoded.ids], dtype=np.int64),
            "attention_mask": np.array([encoded.attention_mask], dtype=np.int64),
            "token_type_ids": np.array([encoded.type_ids], dtype=np.int64),
        }
        hidden = self._session.run(None, {name: given[name] for name in sorted(self._inputs)})[0][0]
        if hidden.ndim == 2:
            mask = given["attention_mask"][0][:, None]
            hidden = (hidden * mask).sum(0) / max(1, int(mask.sum()))
        found: Vector = hidden.astype(np.float32)
        return found / np.float32(max(float(np.linalg.norm(found)), 1e-12))


@contextmanager
def _needed(folder: Path) -> Iterator[None]:
    try:
        yield
    except ImportError as error:
        raise SentenceEncoderMissing(
            f"{error.name} is not installed", place="encoder sentence", remedy="pip install 'sage-runtime[sentence]'"
        ) from error
    except Exception as error:  # onnxruntime and tokenizers raise bare exceptions for files they cannot read
        raise SentenceEncoderMissing(
            f"does not load: {type(error).__name__}: {error}", place=str(folder), remedy=_REMEDY
        ) from error


_REMEDY = f"name a folder with {MODEL} and {TOKENIZER} under encoder: folder"


def _digest(folder: Path) -> str:
    """Of both files."""
    total = hashlib.sha256()
    for name in (MODEL, TOKENIZER):
        try:
            with open(folder / name, "rb") as file:
                total.update(hashlib.file_digest(file, "sha256").digest())
        except OSError as error:
            raise SentenceEncoderMissing(f"holds no {name}: {error}", place=str(folder), remedy=_REMEDY) from error
    return total.hexdigest()[:16]
