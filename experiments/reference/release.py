"""Put trained folders in place as the family's weights: measured, described, summed.

`python -m experiments.reference.release --from DIR` takes DIR/sensory, DIR/tactical and DIR/specialized.
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
from experiments.reference.checkpoint import write_whole
from experiments.reference.evaluate import evaluate
from experiments.reference.family import SIZES, WEIGHTS
from experiments.reference.report import goals
from experiments.reference.train import CHECKPOINT
from runtime.bench.record import environment


def release(source: Path, target: Path, count: int, seed: int) -> dict[str, Any]:
    """Copy the folders, evaluate them over `count` questions a row, write cards, figures and sums; the record."""
    for size in SIZES:
        shutil.rmtree(target / size, ignore_errors=True)
        shutil.copytree(source / size, target / size, ignore=shutil.ignore_patterns(CHECKPOINT, ".*"))
        tokenizer.save(target / size)
        (target / size / "model.safetensors").chmod(0o644)  # written for its owner only
    figures = {size: evaluate(target / size, count, seed, _say(size)) for size in SIZES}
    record = {
        "name": "models evaluate",
        "environment": environment(quick=False, seed=seed, packages=("torch", "transformers")),
        "figures": figures,
        "goals": [{name: getattr(goal, name) for name in goal.__struct_fields__} for goal in goals(figures)],
    }
    write_whole(target / FIGURES, (json.dumps(record, indent=1) + "\n").encode())
    for size in SIZES:
        write_whole(target / size / "README.md", card(size, target / size, figures).encode())
    integrity.write(target)
    return record


def _say(size: str) -> Callable[[str, int, int], None]:
    return lambda row, done, total: print(f"{size} {100 * done / total:5.1f}%  {row}", file=sys.stderr, flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m experiments.reference.release", description=__doc__)
    parser.add_argument("--from", dest="source", type=Path, required=True)
    parser.add_argument("--to", type=Path, default=WEIGHTS)
    parser.add_argument("--count", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    record = release(given.source, given.to, given.count, given.seed)
    print(json.dumps(record["goals"]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
