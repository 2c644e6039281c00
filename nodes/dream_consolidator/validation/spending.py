"""How much of its budget for false promotions a level's next dream may use. Pure.

Every dream is another try, and with enough tries at p < 0.05 chance alone promotes. So the level of each test follows
from the dreams before it by LORD++ (Ramdas, Yang, Wainwright and Jordan 2017, section 3): half of alpha is spent over
all dreams to come, less and less; each promotion earns more to spend on those after it. Then of all promotions of a
level the expected share that is false stays below alpha, however many dreams there are. The bound needs p-values that
are valid given the past: the dreams between two promotions are judged by the same templates, but the question whether
a candidate is better than what is in force is a new one each time, and nothing was trained on what judged.

A dream in which nothing that was taught could be judged was no test and spends nothing. One that was better on what
was taught and refused for another reason earns nothing: it claims nothing.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

_POWER = 1.6
_ZETA = 2.2857656
"""ζ(1.6): the shares j^-1.6 / ζ add up to one. The slower they fall, the later a level that has long learned nothing
starves; the faster, the more its first dreams have (compared by Javanmard and Montanari 2018)."""


def level(alpha: float, promoted: Sequence[bool]) -> float:
    """What the next dream's p-value must stay below. `promoted`: what became of each earlier test, oldest first."""
    now = len(promoted) + 1
    wealth = alpha / 2
    spent = _share(now) * wealth
    promotions = [number for number, was in enumerate(promoted, start=1) if was]
    for count, number in enumerate(promotions):
        earned = alpha - wealth if count == 0 else alpha
        spent += _share(now - number) * earned
    return math.nextafter(spent, 0.0)


def _share(position: int) -> float:
    return float(position**-_POWER) / _ZETA
