"""Put trained folders in place as the family's weights: measured, described, summed.

`python -m experiments.reference.release --from DIR` takes DIR/sensory, DIR/tactical and DIR/specialized. With
`--size NAME` it only measures that size, while others are still in training.
"""

import argparse
import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from experiments.reference import integrity, tokenizer
from experiments.reference.card import card
from experiments.reference.catalogue import FIGURES
from experiments.reference.family import SIZES, WEIGHTS
from experiments.reference.report import PACKAGES, goals, measure_size
from experiments.reference.train import CHECKPOINT
from runtime.bench.record import environment
from runtime.paths import write_atomically


def release(source: Path, target: Path, count: int, seed: int) -> dict[str, Any]:
    """Copy the folders, write their figures over `count` questions a row, cards and sums; the record.

    What `figures` measured of a size before is used again.
    """
    found = {size: figures(source / size, count, seed, _say(size)) for size in SIZES}
    (target / integrity.SUMS).unlink(missing_ok=True)  # from here to the end these weights have no version
    for size in SIZES:
        shutil.rmtree(target / size, ignore_errors=True)
        shutil.copytree(source / size, target / size, ignore=shutil.ignore_patterns(CHECKPOINT, FIGURES, ".*"))
        tokenizer.save(target / size)
        (target / size / "model.safetensors").chmod(0o644)  # written for its owner only
    record = {
        "name": "models evaluate",
        "environment": {
            **environment(quick=False, seed=seed, packages=PACKAGES),
            "weights": integrity.version(target),
        },
        "figures": found,
        "goals": [{name: getattr(goal, name) for name in goal.__struct_fields__} for goal in goals(found)],
    }
    _write(target / FIGURES, record)
    for size in SIZES:
        write_atomically(target / size / "README.md", card(size, target / size, found).encode(), mode=0o644)
    integrity.write(target)
    return record


def figures(folder: Path, count: int, seed: int, report: Callable[[str], None]) -> dict[str, Any]:
    """The figures of one size, measured now or read from where they were written when these weights were measured."""
    place, of = folder / FIGURES, {"weights": integrity.version(folder), "count": count, "seed": seed}
    if place.exists():
        kept: dict[str, Any] = json.loads(place.read_text())
        if kept["of"] == of:
            return dict(kept["figures"])
    found = measure_size(folder, count, seed, report)
    _write(place, {"of": of, "figures": found})
    return found


def _write(place: Path, what: dict[str, Any]) -> None:
    write_atomically(place, (json.dumps(what, indent=1) + "\n").encode(), mode=0o644)


def _say(size: str) -> Callable[[str], None]:
    return lambda what: print(f"{size}: {what}", file=sys.stderr, flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m experiments.reference.release", description=__doc__)
    parser.add_argument("--from", dest="source", type=Path, required=True)
    parser.add_argument("--to", type=Path, default=WEIGHTS)
    parser.add_argument("--count", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--size", choices=tuple(SIZES), help="only measure this one, and keep its figures in DIR")
    given = parser.parse_args()
    if given.size:
        figures(given.source / given.size, given.count, given.seed, _say(given.size))
        return 0
    record = release(given.source, given.to, given.count, given.seed)
    print(json.dumps(record["goals"]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
