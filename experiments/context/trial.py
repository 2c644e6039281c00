"""One dialogue put to a sense of context, with nothing known before or with a memory of unrelated conversations."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from random import Random

import yaml

from experiments.context.dialogues import CONVERSATIONS, UTTERANCES, Dialogue
from experiments.context.kinds import KINDS
from experiments.context.split import Side
from nodes.context_classifier.classify import Observation
from nodes.context_classifier.encoder import Encoder
from nodes.context_classifier.memory import Limits, Memory
from protocol.messages.context import Context

TRAPS = Path(__file__).with_name("traps.yaml")
_ELSEWHERE = ("robot", "space", "echo", "reversing")
"""Kinds that no trap is about."""


def seen(dialogue: Dialogue, encoder: Encoder, limits: Limits, *, warm: bool) -> Observation:
    """What is seen of the last utterance after all that was said before it."""
    memory = Memory(limits, encoder)
    conversations: Sequence[Sequence[str]] = (*(dialogue.unrelated if warm else ()), *dialogue.earlier)
    for number, said in enumerate(conversations):
        for text in said:
            memory.meet(text, f"earlier {number}")
    *before, last = dialogue.said
    for text in before:
        memory.meet(text, "now")
    return memory.consider(last, "now")[0]


def traps() -> list[Dialogue]:
    """The hand-written dialogues."""
    unrelated = tuple(_unrelated(Random("context/traps")))
    return [
        Dialogue(
            id=f"trap/{number}",
            label=Context(trap["label"]),
            plant=trap["why"],
            said=tuple(trap["said"]),
            earlier=tuple(tuple(said) for said in trap.get("earlier", ())),
            unrelated=unrelated,
        )
        for number, trap in enumerate(yaml.safe_load(TRAPS.read_text()), start=1)
    ]


def _unrelated(random: Random) -> Iterable[tuple[str, ...]]:
    for _ in range(CONVERSATIONS):
        yield tuple(KINDS[random.choice(_ELSEWHERE)].say(random, Side.TUNING) for _ in range(UTTERANCES))
