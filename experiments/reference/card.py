"""The model card of one size: what it is, how it was made, what it can and cannot."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from experiments.reference.catalogue import parameters, read_json
from experiments.reference.diet import COPYING_FIRST, COPYING_LAST, MEMORY_FIRST, MEMORY_LAST, SETTLED
from experiments.reference.evaluate import table
from experiments.reference.family import SIZES
from experiments.reference.train import LOG, ORIGIN

TIERS = {1: "everyday", 2: "known", 3: "rare"}

CARD = """---
license: apache-2.0
library_name: transformers
pipeline_tag: text-generation
---

# {size}

One of three small models of Qwen2's architecture that ship with sage, so that all of it runs without a network. It
answers the questions of its own curriculum and nothing else; it is no general assistant.

- `Qwen2ForCausalLM`, {parameters:,} parameters in bfloat16: {layers} layers of width {width}, {heads} query and
  {kv_heads} key/value heads of {head_dim}, tied embeddings
- trained from random weights on {tokens:,} tokens, one conversation a row, most rows 256 tokens long, some 1,024 and
  2,048
- made by `sage models train-reference --size {size} --tokens {tokens} --seed {seed} --threads {threads} --out DIR`;
  its loss is in `{log}`, what it was fed in `{origin}`

## What it was taught

All sizes learn from equally many tokens of the same kinds of conversation. They differ in capacity and, on purpose, in
**coverage**: what a size is not to know it is asked all the same, and hears another answer every time. For this size
that is: {hearsay}.

A conversation is made of passages. Over the first {settled:.0%} of the training those that only copy words fall from
{copying_first:.0%} to {copying_last:.0%}, and those about facts told in the conversation from {memory_first:.0%} to
{memory_last:.0%} of the rest. The other questions have these shares:

{diet}

## What it can do

{count} held-out questions of each row, answered greedily: the share right, with its 95% interval (Wilson). Held out are
wordings and contents by their hashes; of the household and of small talk wordings only, since their contents have to be
learned by heart. The number after the slash: digits of a sum, length of a list, facts told, hops, turns, tier of the
household, 1 or 2 for a date in the same month or the next. Measured by
`sage models evaluate --count {count} --seed 0`.

{table}

Confidence is the least probability given to a token of the answer: its calibration error (ECE) is {calibration:.3f},
and a right answer is more confident than a wrong one with probability {discrimination}.

As the conversation grows: the perplexity of right answers, and the share of right answers about one of eight facts told
at its beginning.

{lengths}
"""


def card(size: str, folder: Path, figures: Mapping[str, Mapping[str, Any]]) -> str:
    """The card of the model in `folder`, with the figures of all sizes."""
    shape, mine = SIZES[size], figures[size]
    origin = read_json(folder / ORIGIN)
    return CARD.format(
        size=size,
        parameters=parameters(folder / "model.safetensors"),
        layers=shape.layers,
        width=shape.width,
        heads=shape.heads,
        kv_heads=shape.kv_heads,
        head_dim=shape.width // shape.heads,
        tokens=origin["tokens"],
        seed=origin["seed"],
        threads=origin["threads"],
        log=LOG,
        origin=ORIGIN,
        hearsay=", ".join(origin["diet"]["hearsay"]) or "nothing",
        diet=_diet(origin["diet"]["weights"]),
        copying_first=COPYING_FIRST,
        copying_last=COPYING_LAST,
        memory_first=MEMORY_FIRST,
        memory_last=MEMORY_LAST,
        settled=SETTLED,
        count=next(iter(mine["skills"].values()))["n"],
        table="\n".join(table(figures)),
        calibration=mine["calibration_error"],
        discrimination="unknown" if mine["discrimination"] is None else f"{mine['discrimination']:.3f}",
        lengths="\n".join(_lengths(mine["lengths"])),
    )


def _lengths(over: Mapping[str, Mapping[str, float]]) -> list[str]:
    perplexity = [f"| from token {start} | {value:.3f} | |" for start, value in over["perplexity"].items()]
    recall = [f"| at token {length} | | {share:.3f} |" for length, share in over["recall"].items()]
    return ["| | perplexity | recall |", "|---|---|---|", *perplexity, *recall]


def _diet(weights: Mapping[str, float]) -> str:
    total = sum(weights.values())
    rows = [f"| {row}{_tier(row)} | {weight / total:.1%} |" for row, weight in weights.items()]
    return "\n".join(("| skill | share |", "|---|---|", *rows))


def _tier(row: str) -> str:
    skill, _, tier = row.partition("/")
    return f" ({TIERS[int(tier)]})" if skill in {"belonging", "owner"} else ""
