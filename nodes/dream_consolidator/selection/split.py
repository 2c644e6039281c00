"""Which questions teach and which judge: by the keyed digest of their template, in turns. Pure.

The templates lie on a circle. A window of it judges, and the window moves on by a step with every promotion:

    turn 3      |  judge  |rest|dev|        learn         |
    turn 4           |  judge  |rest|dev|      learn      |

The rule: *a template that taught what is in force never judges what comes after it.* What judges at turn 4 judged or
rested at turn 3, so the weights that turn 3 promoted, and that turn 4 measures against, learned from none of it. And a
dream's turn is one more than that of the weights in force, whatever was tried or rolled back in between: so long as
nothing is promoted the same templates judge, after a rollback those that judged its successor. (How often one set may
judge is bounded by what each look spends, see `validation.spending`.) The circle is gone round once in 1 / step
promotions, so that in the long run every template teaches and every template judges.
"""

from __future__ import annotations

from typing import Literal, Self

import msgspec

from nodes.dream_consolidator.collector.examples import lot, normalised
from nodes.dream_consolidator.settings import Select

Side = Literal["judge", "rest", "develop", "learn"]

_CIRCLE = 1 << 52
"""Places on it. Whole numbers, so that no rounding moves a template across an edge."""
_NUMBERS = frozenset(
    (
        *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"),
        *("thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen", "twenty", "thirty"),
        *("forty", "fifty", "sixty", "seventy", "eighty", "ninety", "hundred", "thousand", "million", "billion"),
    )
)
_NUMBER = "0"


class Split(msgspec.Struct, frozen=True, kw_only=True):
    """One turn of the circle. Without shares everything teaches."""

    secret: bytes = b""
    turn: int = 0
    held_out: float = 0.0
    step: float = 0.0
    development: float = 0.0

    @classmethod
    def of(cls, settings: Select, secret: bytes, turn: int) -> Self:
        return cls(
            secret=secret,
            turn=turn,
            held_out=settings.held_out,
            step=settings.turn,
            development=settings.development,
        )

    def side(self, question: str) -> Side:
        """Where a question belongs, by its template alone: the same in every conversation and every store."""
        step = round(self.step * _CIRCLE)
        place = (int(lot(self.secret, "side", template(question)) * _CIRCLE) - self.turn * step) % _CIRCLE
        for side, share in (("judge", self.held_out), ("rest", self.step), ("develop", self.development)):
            width = round(share * _CIRCLE)
            if place < width:
                return side  # type: ignore[return-value]
            place -= width
        return "learn"


def template(question: str) -> str:
    """The question's words with every number made the same; case, punctuation and spacing do not count.

    A function of its words alone, so that a question never changes sides as the store grows. What else is put into a
    template, such as a name, cannot be told from its words so surely: `nearness` sees to those.
    """
    words = [_NUMBER if _is_number(word) else word for word in normalised(question).split()]
    return " ".join(word for at, word in enumerate(words) if word != _NUMBER or at == 0 or words[at - 1] != _NUMBER)


def _is_number(word: str) -> bool:
    return word in _NUMBERS or any(character.isdigit() for character in word)
