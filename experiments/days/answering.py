"""What a level's weights answer to the questions of a day: computed together, once, and kept under their digest."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

import msgspec

from experiments.reference.curriculum import Question
from experiments.reference.evaluate import LONGEST_ANSWER
from experiments.reference.family import SIZES
from experiments.trust.answers import Said, answers
from nodes.dialogue.calibration import Signs
from nodes.trust_ledger.table import seed
from protocol.messages.dream import Adapter
from runtime.paths import cache_dir, write_atomically

CACHE = "experiment-days"


@dataclass(frozen=True)
class Weights:
    """What a level answers with."""

    level: str
    digest: str
    """Hex, of the weights."""
    folder: Path
    version: str
    """Its name in the trust table."""


def released(level: str) -> Weights:
    """The level's weights as the family was released with them."""
    folder = SIZES[level].folder
    return Weights(level, file_digest(folder / "model.safetensors"), folder, level)


def learned(adapter: Adapter) -> Weights:
    """Weights that a dream left; they have the name under which the ledger was told of their validation."""
    version = seed(adapter.level, adapter.digest).version
    return Weights(adapter.level, adapter.digest, Path(adapter.path), version)


@cache
def file_digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def said(weights: Weights, asked: Sequence[Question], report: Callable[[str], None]) -> list[Said]:
    """The answers in the order of the questions, from the cache or anew."""
    whole = hashlib.sha256(msgspec.json.encode([asdict(one) for one in asked]))
    whole.update(repr((weights.digest, LONGEST_ANSWER, Said.__struct_fields__, Signs.__struct_fields__)).encode())
    path = cache_dir(CACHE) / f"answers-{whole.hexdigest()[:16]}.msgpack"
    if path.exists():
        return msgspec.msgpack.decode(path.read_bytes(), type=list[Said])
    found = list(answers(weights.folder, asked, report))
    write_atomically(path, msgspec.msgpack.encode(found))
    return found
