"""Word vectors for `embeddings.py`, in up to four blocks side by side; none of them needs torch.

- *model*: a language model's own token embeddings, read from its safetensors file. Every token that is a whole word
  gives one vector; words that the vocabulary cuts into pieces are not in the table.
- *company*: which words stand in one line, as positive pointwise mutual information factorised by singular values
  (Levy & Goldberg 2014; context counts smoothed to the power 0.75).
- *answers*: what is answered to lines with these words, by ridge regression from the words of a line to the leading
  components of its answer (reduced-rank regression, Izenman 1975). Two questions with one answer are one question,
  whatever their words.
- *sorts*: which words stand in one place, by the two words on either side, factorised as *company* is. Words of one
  sort can be put for each other; this block is for comparing words, and has no part in the vector of an utterance.

In an utterance, words weigh a / (a + p), as in smooth inverse frequency, and from *model* and *company* the common
component of whole lines is taken away (Arora et al. 2017).
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from nodes.context_classifier.embeddings import write
from nodes.context_classifier.small_words import is_number, words_of
from protocol.errors import BadRequest

if TYPE_CHECKING:
    from nodes.context_classifier.vectors import Vector

NUMBER = "#"
"""Stands for every number: what a question asks does not hang on which one."""
FREQUENT = 1e-2
"""a of smooth inverse frequency: a word in one line of a hundred weighs half."""
COMPANY, ANSWERS, SORTS = 64, 16, 32
"""Dimensions of vectors learned from lines, from their answers, and from the places of words."""
BESIDE = 2
"""Words on either side that make a place."""
RIDGE = 3.0
_SIGN = re.compile(r"[-+=]")
EMBEDDING_NAMES = ("model.embed_tokens.weight", "embed_tokens.weight", "transformer.wte.weight")


@dataclass(frozen=True)
class Line:
    """One utterance, and what was answered where that is known."""

    text: str
    answer: str = ""


def table(model: Path | None, lines: Sequence[Line]) -> bytes:
    """The bytes of a table from a model's folder, from text, or from both."""
    import numpy as np

    if model is None and not lines:
        raise BadRequest("there is neither a model nor text to make word vectors from", remedy="give --model or --text")
    blocks: dict[str, Mapping[str, Vector]] = {}
    if model is not None:
        blocks["model"] = model_vectors(model)
    if lines:
        blocks["company"] = company(lines)
    answered = [line for line in lines if line.answer]
    words = sorted(set().union(*blocks.values()))
    weights = frequency_weights(words, lines)
    said = [tokens(line.text) for line in lines] or [[word] for word in words]
    found = [_common_removed(words, vectors, weights, said) for vectors in blocks.values()]
    if answered:
        blocks["answers"] = answers(answered)
        found.append(_unweighted(words, blocks["answers"], weights))
    if lines:
        blocks["sorts"] = sorts(lines)
        found.append(_units(words, blocks["sorts"]))
    about = {"blocks": " ".join(f"{name}:{part.shape[1]}" for name, part in zip(blocks, found, strict=True))}
    return write(words, np.concatenate(found, axis=1), np.array([weights[word] for word in words]), about)


def tokens(text: str) -> list[str]:
    return [NUMBER if is_number(word) else word for word in words_of(text)]


def frequency_weights(words: Sequence[str], lines: Sequence[Line]) -> dict[str, float]:
    counts = Counter(word for line in lines for word in set(tokens(line.text)))
    return {word: FREQUENT / (FREQUENT + counts[word] / max(1, len(lines))) for word in words}


def model_vectors(folder: Path) -> dict[str, Vector]:
    """Word → its row of the token embeddings [width]. Numbers: the mean of the digits."""
    import numpy as np

    try:
        matrix = _embeddings(folder)
        vocabulary = json.loads((folder / "tokenizer.json").read_text())["model"]["vocab"]
    except (OSError, KeyError, ValueError) as error:
        raise BadRequest(
            f"has no token embeddings that can be read: {error!r}",
            place=str(folder),
            remedy="name a folder with model.safetensors and tokenizer.json (byte-level BPE)",
        ) from error
    found: dict[str, Vector] = {}
    for piece, row in vocabulary.items():
        word = piece[1:]
        if piece[0] == "Ġ" and word.replace("'", "").isalpha() and word.islower() and not is_number(word):
            found[word] = matrix[row]
    digits = [matrix[vocabulary[digit]] for digit in "0123456789" if digit in vocabulary]
    return {**found, NUMBER: np.mean(digits, axis=0)} if digits else found


def company(lines: Sequence[Line], dimensions: int = COMPANY) -> dict[str, Vector]:
    """Word → vector [dimensions], from the words of its line and of the line's answer."""
    counts = _Counts()
    for line in lines:
        said = tokens(line.text)
        answered = {f"> {word}" for word in tokens(line.answer)}
        for at, word in enumerate(said):
            for other in (*said[:at], *said[at + 1 :]):
                counts.add(word, other, 1 / len(said))
            for other in answered:
                counts.add(word, other, 1 / len(answered))
    return counts.factors(dimensions)


def sorts(lines: Sequence[Line], dimensions: int = SORTS) -> dict[str, Vector]:
    """Word → vector [dimensions], from the words beside it, each in its place, and from the two next to it together."""
    counts = _Counts()
    for line in lines:
        said = tokens(line.text)
        framed = ["^"] * BESIDE + said + ["$"] * BESIDE
        for at, word in enumerate(said, start=BESIDE):
            for place in (*range(-BESIDE, 0), *range(1, BESIDE + 1)):
                counts.add(word, f"{place} {framed[at + place]}", 1)
            counts.add(word, f"{framed[at - 1]} _ {framed[at + 1]}", 1)
    return counts.factors(dimensions)


class _Counts:
    """How often each word was met in each surrounding."""

    def __init__(self) -> None:
        self._rows: dict[str, int] = {}
        self._columns: dict[str, int] = {}
        self._cells: dict[tuple[int, int], float] = {}

    def add(self, word: str, surrounding: str, count: float) -> None:
        cell = (
            self._rows.setdefault(word, len(self._rows)),
            self._columns.setdefault(surrounding, len(self._columns)),
        )
        self._cells[cell] = self._cells.get(cell, 0.0) + count

    def factors(self, dimensions: int) -> dict[str, Vector]:
        import numpy as np

        joint = np.zeros((len(self._rows), len(self._columns)))
        for cell, count in self._cells.items():
            joint[cell] = count
        vectors = _factors(joint / joint.sum(), dimensions)
        return {word: vectors[row] for word, row in self._rows.items()}


def answers(lines: Sequence[Line], dimensions: int = ANSWERS) -> dict[str, Vector]:
    """Word → vector [dimensions]; their sum over a line foretells the line's answer."""
    import numpy as np

    said, words = _bags([line.text for line in lines])
    replied, _ = _bags([line.answer for line in lines])
    rarity = np.log(len(lines) / (replied > 0).sum(axis=0))
    replied = _rows_to_unit((replied > 0) * rarity)
    left, values, _ = np.linalg.svd(replied - replied.mean(axis=0), full_matrices=False)
    targets = left[:, :dimensions] * values[:dimensions]
    given = _rows_to_unit((said > 0).astype(float))
    found = np.linalg.solve(given.T @ given + RIDGE * np.eye(len(words)), given.T @ targets)
    return {word: found[row] for row, word in enumerate(words)}


def _bags(texts: Sequence[str]) -> tuple[Vector, list[str]]:
    """[texts, words] counts, and the words."""
    import numpy as np

    cut = [[*tokens(text), *_SIGN.findall(text)] for text in texts]
    words = sorted(set().union(*cut))
    place = {word: column for column, word in enumerate(words)}
    counts = np.zeros((len(texts), len(words)))
    for row, text in enumerate(cut):
        for word in text:
            counts[row, place[word]] += 1
    return counts, words


def _rows_to_unit(matrix: Vector) -> Vector:
    import numpy as np

    found: Vector = matrix / np.maximum(np.linalg.norm(matrix, axis=1, keepdims=True), 1e-9)
    return found


def _unweighted(words: Sequence[str], vectors: Mapping[str, Vector], weights: Mapping[str, float]) -> Vector:
    """[words, d] such that the weighted sum over an utterance is the plain sum of `vectors`; unknown words zero."""
    import numpy as np

    found = np.zeros((len(words), len(next(iter(vectors.values())))))
    for row, word in enumerate(words):
        if word in vectors:
            found[row] = vectors[word] / weights[word]
    return found / max(float(np.abs(found).max()), 1e-9)


def _factors(joint: Vector, dimensions: int) -> Vector:
    """[words, dimensions] of the positive pointwise mutual information of a joint distribution [words, contexts]."""
    import numpy as np

    words = joint.sum(axis=1, keepdims=True)
    contexts = joint.sum(axis=0, keepdims=True) ** 0.75
    contexts /= contexts.sum()
    with np.errstate(divide="ignore"):
        information = np.maximum(np.log(joint / (words * contexts)), 0)
    left, values, _ = np.linalg.svd(information, full_matrices=False)
    found: Vector = left[:, :dimensions] * np.sqrt(values[:dimensions])
    return found


def _common_removed(
    words: Sequence[str], vectors: Mapping[str, Vector], weights: Mapping[str, float], said: Sequence[Sequence[str]]
) -> Vector:
    """[words, d]: unit vectors less their part along the first principal component of the lines; unknown words zero."""
    import numpy as np

    units = _units(words, vectors)
    place = {word: row for row, word in enumerate(words)}
    sums = np.zeros((len(said), units.shape[1]))
    for at, line in enumerate(said):
        for word in line:
            if word in place:
                sums[at] += weights[word] * units[place[word]]
    _, _, axes = np.linalg.svd(_rows_to_unit(sums), full_matrices=False)
    kept: Vector = units - np.outer(units @ axes[0], axes[0])
    return kept


def _units(words: Sequence[str], vectors: Mapping[str, Vector]) -> Vector:
    """[words, d] of unit length; unknown words zero."""
    import numpy as np

    found = np.zeros((len(words), len(next(iter(vectors.values())))))
    for row, word in enumerate(words):
        if word in vectors:
            found[row] = vectors[word]
    return _rows_to_unit(found)


def _embeddings(folder: Path) -> Vector:
    """[vocabulary, width] float32 of the token embeddings, in one file or in the part that has them."""
    import numpy as np

    index = folder / "model.safetensors.index.json"
    names = json.loads(index.read_text())["weight_map"] if index.exists() else {}
    name = next((name for name in EMBEDDING_NAMES if name in names), EMBEDDING_NAMES[0])
    path = folder / names.get(name, "model.safetensors")
    with open(path, "rb") as file:
        length = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(length))
        name = next((other for other in (name, *EMBEDDING_NAMES) if other in header), name)
        begin, end = header[name]["data_offsets"]
        file.seek(8 + length + begin)
        data = file.read(end - begin)
    shape, dtype = header[name]["shape"], header[name]["dtype"]
    if dtype == "BF16":
        return (np.frombuffer(data, dtype="<u2").astype("<u4") << 16).view("<f4").reshape(shape)
    found: Vector = np.frombuffer(data, dtype={"F32": "<f4", "F16": "<f2"}[dtype]).reshape(shape).astype(np.float32)
    return found
