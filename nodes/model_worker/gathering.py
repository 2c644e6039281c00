"""Sums over many contexts that outlive an interruption: written down now and then, and gone on with."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from torch import Tensor

from runtime.paths import private_directory, write_atomically

EVERY = 20
"""Contexts between two times that the sums are written down."""


def gather(
    path: Path,
    contexts: Sequence[Sequence[int]],
    sums: Mapping[str, Tensor],
    add: Callable[[Sequence[int]], None],
    report: Callable[[int], None],
) -> None:
    """Have each context added to `sums`, in place; where that was begun at `path`, from there on.

    What was gathered of other contexts, or cannot be read, is begun anew. `report` is told how many are done.
    """
    private_directory(path.parent)
    what = hashlib.sha256(json.dumps([list(each) for each in contexts]).encode()).hexdigest()
    done = _resume(path, what, sums) if path.exists() else 0
    try:
        for ids in contexts[done:]:
            add(ids)
            done += 1
            if done % EVERY == 0:
                _write(path, what, sums, done)
            report(done)
    except BaseException:
        _write(path, what, sums, done)
        raise
    path.unlink(missing_ok=True)


def _write(path: Path, what: str, sums: Mapping[str, Tensor], done: int) -> None:
    from safetensors.torch import save

    write_atomically(path, save(dict(sums), metadata={"what": what, "done": str(done)}))


def _resume(path: Path, what: str, sums: Mapping[str, Tensor]) -> int:
    """How many contexts are in them."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            known = file.metadata() or {}
            if known.get("what") != what:
                return 0
            found = {name: file.get_tensor(name) for name in sums}
            if any(found[name].shape != each.shape for name, each in sums.items()):
                return 0
            done = int(known["done"])
    except (SafetensorError, KeyError, ValueError):
        return 0
    for name, each in sums.items():
        each.copy_(found[name])
    return done
