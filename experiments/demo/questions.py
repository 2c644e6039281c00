"""What the demonstration asks: a pattern, and two held-out questions of which one needs the large model."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from experiments.reference.speech import demo_questions
from nodes.dialogue import patterns


@dataclass(frozen=True)
class DemoTurn:
    """A question to speak, and what is known of it beforehand."""

    kind: str
    text: str
    level: str
    """Smallest level that is known to answer such questions reliably; empty for a pattern."""


def turns(seed: int) -> list[DemoTurn]:
    """Three turns drawn by `seed`. The two open questions are of templates and content that no model was taught."""
    pattern = Random(f"pattern/{seed}").choice([one for one in patterns.phrases() if len(one.split()) > 2])
    open_questions = demo_questions(seed)
    smallest, largest = open_questions[0], open_questions[-1]
    return [
        DemoTurn("pattern", pattern, ""),
        DemoTurn("open question", smallest.text, smallest.level),
        DemoTurn("open question", largest.text, largest.level),
    ]
