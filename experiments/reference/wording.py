"""From a problem to what a person says or types, and back to the plain words that skills read."""

import re
from enum import StrEnum
from random import Random

from experiments.reference.facts import Facts
from experiments.reference.skill import Slots, Template
from experiments.reference.spelling import digits, spell

_ASKING = ("what", "where", "who", "whose", "which", "in which", "do you", "how", "are you", "can you")
_TELLING = ("", "", "remember that", "listen", "please note that")
NOTED = "noted."


class Style(StrEnum):
    SPOKEN = "spoken"
    """Lower-case words and nothing else, as a recogniser writes them."""
    TYPED = "typed"
    """Digits, signs, capitals and stops, as hands write."""


def question(random: Random, template: Template, slots: Slots, style: Style) -> str:
    """The wording with its slots filled."""
    text = template.text.format(**slots)
    return spoken(text) if style is Style.SPOKEN else _typed(random, text)


def spoken(text: str) -> str:
    return re.sub(r"\d+", lambda number: spell(int(number.group())), text)


def _typed(random: Random, text: str) -> str:
    if random.random() < 0.6:
        text = text.replace(" plus ", " + ").replace(" minus ", " - ")
    if random.random() < 0.3:
        text = re.sub(r"(?<=\d) (?=\d)", ", ", text)
    if text.startswith(_ASKING) and random.random() < 0.7:
        text += "?"
    return _capital(random, text)


def _capital(random: Random, text: str) -> str:
    return text[0].upper() + text[1:] if random.random() < 0.5 else text


def telling(random: Random, facts: Facts, style: Style) -> str:
    """The facts as one message, in random order."""
    statements = facts.statements()
    random.shuffle(statements)
    opener = random.choice(_TELLING)
    if style is Style.SPOKEN:
        return f"{opener} {' and '.join(statements)}".strip()
    joint = random.choice((" and ", ". ", ", "))
    stop = "." if joint == ". " or random.random() < 0.5 else ""
    return _capital(random, f"{opener} {joint.join(statements)}".strip()) + stop


def plain(text: str) -> str:
    """Lower case, digits for numbers, single spaces, no stops: what skills and facts are read from."""
    text = re.sub(r"\s*\+\s*", " plus ", text.lower())
    text = re.sub(r"(?<=\d)\s*-\s*(?=\d)", " minus ", text)
    return digits(" ".join(re.sub(r"[^a-z0-9 ']", " ", text).split()))
