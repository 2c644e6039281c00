"""Put trained folders in place as the family's weights: measured, described, summed.

`python -m experiments.reference.release --from DIR` takes DIR/sensory, DIR/tactical and DIR/specialized.
"""

import argparse
import json
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from experiments.reference import integrity
from experiments.reference.catalogue import FIGURES, parameters
from experiments.reference.checkpoint import write_whole
from experiments.reference.diet import COPYING_FIRST, COPYING_LAST, COPYING_UNTIL, DIETS
from experiments.reference.evaluate import evaluate, table
from experiments.reference.family import SIZES, WEIGHTS
from experiments.reference.report import goals
from experiments.reference.train import CHECKPOINT, LOG
from runtime.bench.record import environment

TIERS = {1: "everyday", 2: "known", 3: "rare"}


def release(source: Path, target: Path, count: int, seed: int) -> dict[str, Any]:
    """Copy the folders, evaluate them over `count` questions a row, write cards, figures and sums; the record."""
    for size in SIZES:
        shutil.rmtree(target / size, ignore_errors=True)
        shutil.copytree(source / size, target / size, ignore=shutil.ignore_patterns(CHECKPOINT, ".*"))
    figures = {size: evaluate(target / size, count, seed, _say(size)) for size in SIZES}
    record = {
        "name": "models evaluate",
        "environment": environment(quick=False, seed=seed, packages=("torch", "transformers")),
        "figures": figures,
        "goals": [_plain(goal) for goal in goals(figures)],
    }
    write_whole(target / FIGURES, (json.dumps(record, indent=1) + "\n").encode())
    for size in SIZES:
        write_whole(target / size / "README.md", card(size, target / size, figures).encode())
    integrity.write(target)
    return record


def card(size: str, folder: Path, figures: Mapping[str, Mapping[str, Any]]) -> str:
    """The model card: what it is, how it was made, what it can and cannot."""
    shape, mine = SIZES[size], figures[size]
    return f"""---
license: apache-2.0
library_name: transformers
pipeline_tag: text-generation
---

# {size}

One of three small models of Qwen2's architecture that ship with sage, so that all of it runs without a network. It
answers the questions of its own curriculum and nothing else; it is no general assistant.

- `Qwen2ForCausalLM`, {parameters(folder / "model.safetensors"):,} parameters in bfloat16: {shape.layers} layers, width
  {shape.width}, {shape.heads} query and {shape.kv_heads} key/value heads of {shape.width // shape.heads}, tied embeddings
- trained from random weights on {_tokens(folder):,} tokens in rows of 256 and 1,024; farther than that it has seen
  nothing
- made by `sage models train-reference --size {size} --out DIR` from seed 1 on one thread; its loss is in `{LOG}`

## What it was taught

All sizes learn from equally many tokens of the same kinds of conversation. They differ in capacity and, on purpose, in
**coverage**: where household things belong and whose they are is asked in three tiers, and the smaller sizes meet the
rarer tiers too seldom to learn them. Of the questions outside conversations about told facts (which are
{DIETS[size].memory:.0%} of the conversations), the shares are:

{_diet(size)}

Conversations that only copy words fall from {COPYING_FIRST:.0%} to {COPYING_LAST:.0%} over the first
{COPYING_UNTIL:.0%} of the training.

## What it can do

{next(iter(mine["skills"].values()))["n"]} held-out questions of each row, greedy: share right, with the 95% interval
(Wilson). Held out are wordings and contents by their hashes; of the household and of small talk wordings only, since
their contents must be learned by heart. Numbers after the slash: digits of a sum, length of a list, facts told, hops,
tier of the household. Made by
`sage models evaluate --count {next(iter(mine["skills"].values()))["n"]} --seed 0`.

{chr(10).join(table(figures))}

Mean over all rows {mine["mean"]:.3f}. Confidence is the least probability given to a token of the answer: calibration
error
{mine["calibration_error"]:.3f}; the chance that a right answer is more confident than a wrong one
{_shown(mine["discrimination"])}.
"""


def _diet(size: str) -> str:
    weights = DIETS[size].weights
    total = sum(weights.values())
    rows = [
        f"| {name}/{difficulty}{_tier(name, difficulty)} | {weight / total:.1%} |"
        for (name, difficulty), weight in weights.items()
    ]
    return "\n".join(("| skill | share |", "|---|---|", *rows))


def _tier(name: str, difficulty: int) -> str:
    return f" ({TIERS[difficulty]})" if name in {"belonging", "owner"} else ""


def _tokens(folder: Path) -> int:
    last = (folder / LOG).read_text().splitlines()[-1]
    return int(json.loads(last)["tokens"])


def _shown(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.3f}"


def _plain(goal: Any) -> dict[str, Any]:
    return {name: getattr(goal, name) for name in goal.__struct_fields__}


def _say(size: str) -> Any:
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
