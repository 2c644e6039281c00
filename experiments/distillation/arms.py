"""What is learned from a day, and how: the shipped way, and what it is to be compared with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal


@dataclass(frozen=True)
class Arm:
    name: str
    what: str
    train: Mapping[str, Any] = field(default_factory=dict)
    """Fields of the section `train` of `configs/dream.yaml` that differ from what ships."""
    select: Mapping[str, Any] = field(default_factory=dict)
    """The same of `select`."""
    day: Literal["own", "even"] = "own"
    """Whether what is learned is of the day itself, or of a day that is interested in everything alike."""
    salience: Literal["own", "shuffled"] = "own"
    answers: Literal["teacher", "gold"] = "teacher"
    draw: Literal["sampled", "top"] = "sampled"
    """`top`: the most salient ones alone."""

    def quick(self) -> Arm:
        """The same in a fraction of the time."""
        asked = min(self.select.get("self_asked", QUICK_ASKED), QUICK_ASKED)
        return replace(self, select={**self.select, "self_asked": asked})


QUICK_ASKED = 200
"""Conversations that the student has with itself, where there is little time."""
SHIPPED = Arm("shipped", "the teacher's distributions, drawn by salience, as `configs/dream.yaml` says")

WORDS = {"loss": "cross_entropy"}
ARMS = (
    SHIPPED,
    Arm("generic", "as much of everything, not of the day", day="even"),
    Arm("gold", "right answers by cross-entropy", WORDS, answers="gold"),
    Arm("words", "the teacher's words by cross-entropy", WORDS),
    Arm("uniform", "KL, drawn without regard to salience", select={"exponent": 0.0}),
    Arm("shuffled", "KL, drawn by another exchange's salience", salience="shuffled"),
    Arm("top", "KL, the most salient ones alone", draw="top"),
    Arm("logits", "squared error of logits instead of KL", {"loss": "mse"}),
    Arm("reverse", "reverse KL", {"loss": "reverse_kl"}),
    Arm("jsd", "Jensen-Shannon divergence", {"loss": "jsd"}),
    Arm("epoch 1", "one epoch", {"epochs": 1, "steps": 0}),
    Arm("epochs 2", "two epochs", {"epochs": 2, "steps": 0}),
    Arm("epochs 3", "three epochs", {"epochs": 3, "steps": 0}),
    Arm("constant", "a constant rate", {"schedule": "constant"}),
    Arm("cosine", "a rate that falls as a cosine", {"schedule": "cosine"}),
    Arm("whole way", "all of the way from the weights before to the learned ones", {"way": 1.0}),
    Arm("replay 0", "no rehearsal", select={"rehearsal": 0.0, "self_asked": 0}),
    Arm("replay 10", "a tenth of rehearsal", select={"rehearsal": 0.1, "self_asked": 1000}),
    Arm("questions", "rehearsal of first questions alone, not of conversations", select={"turns": 1}),
    Arm("lora", "low-rank adapters instead of all weights", {"method": "lora"}),
)
