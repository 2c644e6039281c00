"""Whether two wordings of one question are nearer than two questions, where they share no word with a subject."""

from collections.abc import Iterator
from random import Random

from experiments.context.kinds import KINDS, apart
from experiments.context.split import Side
from nodes.context_classifier.encoder import Encoder
from nodes.context_classifier.small_words import is_content, words_of
from nodes.context_classifier.vectors import similarity

PAIRS = 400


def area(encoder: Encoder, side: Side, seed: int) -> dict[str, float]:
    """Share of comparisons in which a paraphrase is nearer than a question of a kind apart (area under the curve)."""
    random = Random(f"paraphrases/{seed}")
    near = [_likeness(encoder, pair) for pair, _ in zip(_paraphrases(random, side), range(PAIRS), strict=False)]
    far = [_likeness(encoder, pair) for pair, _ in zip(_strangers(random, side), range(PAIRS), strict=False)]
    wins = sum((one > other) + 0.5 * (one == other) for one in near for other in far)
    return {
        "area": round(wins / (len(near) * len(far)), 4),
        "paraphrases": round(sum(near) / len(near), 3),
        "strangers": round(sum(far) / len(far), 3),
    }


def share_no_subject(one: str, other: str) -> bool:
    return not _content(one) & _content(other)


def _paraphrases(random: Random, side: Side) -> Iterator[tuple[str, str]]:
    """Two wordings of one kind, about different things, with no word of a subject in common."""
    kinds = [kind for name, kind in KINDS.items() if name != "talk" and len(kind.wordings_of(side)) > 1]
    while True:
        kind = random.choice(kinds)
        first, second = random.sample(kind.wordings_of(side), 2)
        pair = first.format(**kind.draw(random)), second.format(**kind.draw(random))
        if share_no_subject(*pair):
            yield pair


def _strangers(random: Random, side: Side) -> Iterator[tuple[str, str]]:
    kinds = tuple(KINDS.values())
    while True:
        one, other = random.choice(kinds), random.choice(kinds)
        pair = one.say(random, side), other.say(random, side)
        if apart(one, other) and share_no_subject(*pair):
            yield pair


def _likeness(encoder: Encoder, pair: tuple[str, str]) -> float:
    return similarity(*(encoder.encode(text) for text in pair))


def _content(text: str) -> set[str]:
    return {word for word in words_of(text) if is_content(word)}
