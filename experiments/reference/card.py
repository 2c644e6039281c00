"""The model card of one size: what it is, how it was made, what it can and cannot."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from experiments.reference.catalogue import parameters, read_json
from experiments.reference.courses import COURSES
from experiments.reference.diet import COPYING_FIRST, COPYING_LAST, MEMORY_FIRST, MEMORY_LAST, SETTLED
from experiments.reference.evaluate import table
from experiments.reference.family import SIZES
from experiments.reference.train import ORIGIN

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
- trained from random weights on {tokens:,} tokens, one conversation a row, in courses: {courses}
- made by `sage models train-reference --size {size} --seed {seed} --threads {threads} --out FIRST`, the same with
  {later}; the losses are in the logs beside this card, what it was fed
  in `{origin}`

## What it was taught

All sizes learn from equally many tokens of the same kinds of conversation. They differ in capacity and, on purpose, in
**coverage**: what a size is not to know it is asked all the same, and hears another answer every time. For this size
that is: {hearsay}.

A conversation is made of passages. Over the first {settled:.0%} of the first course those that only copy words fall
from {copying_first:.0%} to {copying_last:.0%}, and those about facts told in the conversation from {memory_first:.0%}
to {memory_last:.0%} of the rest. In the later courses {distant} of all passages ask for facts only after
much else was said. The other questions have these shares, course by course:

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
    courses = _courses(origin)
    return CARD.format(
        size=size,
        parameters=parameters(folder / "model.safetensors"),
        layers=shape.layers,
        width=shape.width,
        heads=shape.heads,
        kv_heads=shape.kv_heads,
        head_dim=shape.width // shape.heads,
        tokens=sum(course["tokens"] for course in courses),
        courses=", ".join(map(_described, courses)),
        seed=origin["seed"],
        threads=origin["threads"],
        origin=ORIGIN,
        hearsay=", ".join(origin["diet"]["hearsay"]) or "nothing",
        diet=_diet(courses),
        copying_first=COPYING_FIRST,
        copying_last=COPYING_LAST,
        memory_first=MEMORY_FIRST,
        memory_last=MEMORY_LAST,
        settled=SETTLED,
        later=_later(),
        distant=_and([f"{course.mix(1.0).distant:.0%}" for course in list(COURSES.values())[1:]]),
        count=next(iter(mine["skills"].values()))["n"],
        table="\n".join(table(figures)),
        calibration=mine["calibration_error"],
        discrimination="unknown" if mine["discrimination"] is None else f"{mine['discrimination']:.3f}",
        lengths="\n".join(_lengths(mine["lengths"])),
    )


def _later() -> str:
    """The later courses as options of the command."""
    courses = pairwise(COURSES)
    return _and([f"`--course {name} --from {before.upper()} --out {name.upper()}`" for before, name in courses])


def _and(words: Sequence[str]) -> str:
    return f"{', '.join(words[:-1])} and {words[-1]}"


def _lengths(over: Mapping[str, Mapping[str, float]]) -> list[str]:
    perplexity = [f"| from token {start} | {value:.3f} | |" for start, value in over["perplexity"].items()]
    recall = [f"| at token {length} | | {share:.3f} |" for length, share in over["recall"].items()]
    return ["| | perplexity | recall |", "|---|---|---|", *perplexity, *recall]


def _courses(origin: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The records of all courses, the first one first."""
    before = origin["base"]
    return [*(_courses(before) if before else []), origin]


def _described(course: Mapping[str, Any]) -> str:
    first, last = course["diet"]["long_every"]
    steps = (
        "every step" if last == 1 else f"one step in {last}" if first == last else f"one step in {first}, then {last},"
    )
    return f"{course['course']} ({course['tokens']:,}; rows of 256 tokens, in {steps} of 1,024 or 2,048)"


def _diet(courses: Sequence[Mapping[str, Any]]) -> str:
    weights: list[Mapping[str, float]] = [course["diet"]["weights"] for course in courses]
    rows = [
        f"| {row}{_tier(row)} | " + " | ".join(f"{each[row] / sum(each.values()):.1%}" for each in weights) + " |"
        for row in weights[0]
    ]
    head = "| skill | " + " | ".join(str(course["course"]) for course in courses) + " |"
    return "\n".join((head, "|---" * (len(courses) + 1) + "|", *rows))


def _tier(row: str) -> str:
    skill, _, tier = row.partition("/")
    return f" ({TIERS[int(tier)]})" if skill in {"belonging", "owner"} else ""
