"""The labelled set: short dialogues, balanced over the four contexts and over the plants of each.

Everything follows from a seed. A dialogue is judged by the context of its last utterance, once with nothing known and
once with a memory full of conversations of kinds that are apart from all of its own.
"""

from collections.abc import Iterator
from random import Random

import msgspec

from experiments.context.kinds import KINDS, apart
from experiments.context.plants import PLANTS, Writer
from experiments.context.split import Side
from experiments.reference.spelling import spell
from protocol.messages.context import Context

SEED, DIALOGUES = 2, 480
"""Of the held-out set that ships."""
CONVERSATIONS, UTTERANCES = 8, 6
"""How many conversations a warm memory has behind it, and how long each was."""


class Dialogue(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    label: Context
    plant: str
    """How the label was planted, or why a trap is one."""
    said: tuple[str, ...]
    """The last utterance bears the label."""
    earlier: tuple[tuple[str, ...], ...] = ()
    """Conversations before this one, on which the label rests."""
    unrelated: tuple[tuple[str, ...], ...] = ()
    """Conversations before these that have nothing to do with it: they make the memory warm."""


def dialogues(side: Side, seed: int, count: int) -> list[Dialogue]:
    """`count` dialogues of one side, the contexts by turns and within each the plants by turns."""
    return [one for one, _ in zip(_all(side, seed), range(count), strict=False)]


def _all(side: Side, seed: int) -> Iterator[Dialogue]:
    number = 0
    while True:
        for label in Context:
            plants = PLANTS[label]
            plant = plants[number // len(Context) % len(plants)]
            random = Random(f"context/{side}/{seed}/{number}")
            yield _written(f"{side}/{seed}/{number}", label, plant.__name__, random, side)
            number += 1


def _written(name: str, label: Context, plant: str, random: Random, side: Side) -> Dialogue:
    write = Writer(random, side)
    {one.__name__: one for one in PLANTS[label]}[plant](write)
    typed = random.random() < 0.3
    said = tuple(_hand(random, text, typed=typed) for text in write.said)
    earlier = tuple(tuple(_hand(random, text, typed=typed) for text in one) for one in write.earlier)
    return Dialogue(
        id=name,
        label=label,
        plant=plant,
        said=said,
        earlier=earlier,
        unrelated=tuple(_unrelated(random, side, write.kinds)),
    )


def _unrelated(random: Random, side: Side, kinds: set[str]) -> Iterator[tuple[str, ...]]:
    others = [kind for kind in KINDS.values() if all(apart(kind, KINDS[name]) for name in kinds)]
    for _ in range(CONVERSATIONS):
        about = [random.choice(others), random.choice(others)]
        yield tuple(random.choice(about).say(random, side) for _ in range(UTTERANCES))


def _hand(random: Random, text: str, *, typed: bool) -> str:
    """As a recogniser writes it, or as hands do."""
    if not typed:
        return " ".join(spell(int(word)) if word.isdigit() else word for word in text.split())
    return (text[0].upper() + text[1:] if random.random() < 0.5 else text) + random.choice(("", "", ".", "!"))
