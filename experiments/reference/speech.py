"""The curriculum aloud: text from which the ears learn what may be said, and questions for a demonstration."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from experiments.reference.curriculum import USER, Question, questions
from experiments.reference.split import Split, seeded
from experiments.reference.wording import Style

SPOKEN_ROWS: tuple[tuple[str, int], ...] = (
    *(("hours", 1), ("days", 1), ("belonging", 1), ("belonging", 2), ("belonging", 3)),
    *(("owner", 1), ("owner", 2), ("owner", 3), ("addition", 1), ("addition", 2), ("addition", 3)),
    *(("recall_place", 1), ("recall_favourite", 1), ("hops", 1), ("device", 1), ("sorting", 3), ("talk", 1)),
)
"""What is said aloud. Repeating and reversing any words is left out: a recogniser that expects any word hears any
word."""

DEMO_ROWS: Mapping[str, tuple[tuple[str, int], ...]] = {
    "sensory": (("belonging", 1),),
    "tactical": (("belonging", 2),),
    "specialized": (("belonging", 3),),
}
"""For every size, what it answers reliably and the next smaller one does not."""

MISHEARD = frozenset({"mattress", "cushion", "puzzle", "cereal", "dumbbell", "wristwatch"})
"""Things of the 180 that the ears took for another when they were asked for, at 150 words a minute."""

LINES = 8000
_DRAWN = 1500
"""Draws from which a pool is made; enough to find nearly every held-out question of its rows."""


def training_text() -> list[str]:
    """Lines for the ears' language model, of the taught side only. Registered under `sage.speech_text`."""
    return spoken_questions(Split.TRAIN, seed=1, count=LINES)


def spoken_questions(split: Split, seed: int, count: int) -> list[str]:
    """`count` lines as they are said, of all spoken skills by turns: lower-case words of the pronouncing dictionary."""
    each = count // len(SPOKEN_ROWS) + 1
    lines = [
        message.content
        for skill, difficulty in SPOKEN_ROWS
        for question in questions(split, skill, difficulty, seed, each, style=Style.SPOKEN)
        for message in question.messages
        if message.role == USER
    ]
    seeded(f"spoken/{split}/{seed}").shuffle(lines)
    return lines[:count]


@dataclass(frozen=True)
class DemoQuestion:
    """A held-out question to say aloud. `level`: the smallest size that answers it reliably."""

    text: str
    level: str
    skill: str
    answer: str


@cache
def demo_pool(level: str) -> tuple[DemoQuestion, ...]:
    """All held-out questions of this level that were drawn, each once, in a fixed order; none about MISHEARD things."""
    drawn = {
        question.messages[-1].content: question
        for skill, difficulty in DEMO_ROWS[level]
        for question in questions(Split.HELD_OUT, skill, difficulty, 0, _DRAWN, style=Style.SPOKEN)
    }
    return tuple(_demo(text, level, drawn[text]) for text in sorted(drawn) if not MISHEARD & set(text.split()))


def demo_questions(seed: int) -> list[DemoQuestion]:
    """One held-out question for every level, smallest first, drawn by `seed`."""
    return [seeded(f"demo/{level}/{seed}").choice(demo_pool(level)) for level in DEMO_ROWS]


def _demo(text: str, level: str, question: Question) -> DemoQuestion:
    return DemoQuestion(text, level, f"{question.skill}/{question.difficulty}", question.answer)
