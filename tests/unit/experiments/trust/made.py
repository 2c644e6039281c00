"""A pool of questions without models: what each level says is written here."""

from random import Random

from experiments.trust.answers import Asked, Said
from nodes.dialogue.calibration import Signs

KINDS = {"sums": (0.99, 0.99, 0.99), "names": (0.05, 0.95, 0.99), "riddles": (0.02, 0.1, 0.97)}
"""Row → how often each level is right."""
WORDS = {"sums": "how much is seven and nine", "names": "who has the green lamp of the house", "riddles": "which word"}


def pool(each: int, seed: int = 0) -> list[Asked]:
    """A wrong answer mostly looks unsure."""
    random = Random(seed)
    found = []
    for row, chances in KINDS.items():
        for number in range(each):
            said = tuple(_said(random, chance, level) for level, chance in enumerate(chances))
            found.append(Asked(row=f"{row}/1", text=f"{WORDS[row]} number {number}", turns=0, said=said))
    return found


def _said(random: Random, chance: float, level: int) -> Said:
    right = random.random() < chance
    least = -random.random() * (0.2 if right else 2.0)
    return Said(
        right=right,
        signs=Signs(mean=least / 3, least=least, margin=1.0, tokens=6),
        tokens_in=20,
        text="right" if right else f"wrong {level} {random.random():.3f}",
    )
