"""Writes one conversation down, turn after turn, and says each turn once it is kept: `attention_writer.py DIR`."""

import sys
from pathlib import Path

from nodes.model_worker.kv.chunkfile import Content, Keys
from nodes.model_worker.kv.manifest import KeptChunk, Manifest
from nodes.model_worker.kv.vault import Vault, model_word
from runtime.identity import HostIdentity

FINGERPRINT = {"weights": "w", "dtype": "float32"}
MODEL = model_word(FINGERPRINT)
NAME = "conversation"
SIZE = 8
"""Tokens of a chunk."""
SHAPE = [2, 2, 2, SIZE, 16]


def layers(number: int) -> list[bytes]:
    """What chunk `number` holds."""
    return [bytes((number * 31 + layer * 7 + at) % 256 for at in range(2 * 2 * SIZE * 16 * 4)) for layer in range(2)]


def ids(number: int) -> list[int]:
    return [number * SIZE + at for at in range(SIZE)]


def write(directory: Path) -> None:
    vault = Vault(directory / "attention", Keys(HostIdentity.load(directory)), budget=1 << 30)
    kept = vault.read_session(MODEL, NAME)
    line = list(kept.line) if isinstance(kept, Manifest) else []
    name = b""
    for number in range(1_000_000):
        name = vault.line_name(name, ids(number))
        if number < len(line):
            continue
        parent = line[-1].address if line else ""
        content = Content(
            fingerprint=FINGERPRINT,
            exactness="continuous",
            size=SIZE,
            dtype="float32",
            shape=SHAPE,
            parent=parent,
            ids=ids(number),
            start=number * SIZE,
            model="m",
            layers=layers(number),
        )
        address = vault.write_chunk(MODEL, content, name)
        line.append(KeptChunk(address, ids(number), "continuous"))
        vault.write_session(FINGERPRINT, MODEL, Manifest(name=NAME, model="m", line=line, answers={}, kept_ns=number))
        print(number, flush=True)


if __name__ == "__main__":
    write(Path(sys.argv[1]))
