"""The small words of English: closed classes, of which no new ones are made.

They carry no subject, so what an utterance is about is never decided by them; and none of them decides a context.
"""

from __future__ import annotations

import re

_BE = "is are was were am be been being isn't aren't wasn't weren't"
_MODAL = "will would can could shall should may might must won't wouldn't can't cannot couldn't shouldn't"
_DO = "do does did have has had don't doesn't didn't haven't hasn't hadn't"
_CONTRACTED = "it's that's there's he's she's i'm you're we're they're i've you've we've they've"
_INTERROGATIVES = "what where who whose whom which why how what's where's who's"
_SUBJECTS = "i you he she it we they there this that these those"
_DETERMINERS = "the a an my your his her its our their this that these those some any no every each"
_PREPOSITIONS = """
    in on at to from of for with by into onto over under before after between through about around off out up down
    behind beside near since until till
"""
_CONNECTIVES = "and or but so as if when then than because while again also too only just still already"
_PRONOUNS = "me him us them mine yours hers ours theirs"
_NEGATIONS = "not no never none nothing nobody nor neither cannot without"
_COURTESY = "please yes well now ok okay oh hey listen"

AUXILIARIES = frozenset(f"{_BE} {_MODAL} {_DO}".split())
CONTRACTED = frozenset(_CONTRACTED.split())
"""A subject and its verb in one."""
INTERROGATIVES = frozenset(_INTERROGATIVES.split())
SUBJECTS = frozenset(_SUBJECTS.split())
DETERMINERS = frozenset(_DETERMINERS.split())
PREPOSITIONS = frozenset(_PREPOSITIONS.split())
NEGATIONS = frozenset(_NEGATIONS.split())

SMALL = (
    AUXILIARIES
    | CONTRACTED
    | INTERROGATIVES
    | SUBJECTS
    | DETERMINERS
    | PREPOSITIONS
    | NEGATIONS
    | frozenset(_CONNECTIVES.split())
    | frozenset(_PRONOUNS.split())
    | frozenset(_COURTESY.split())
)
"""Every word that stands for no subject."""

_UNITS = "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen"
_TEENS = "seventeen eighteen nineteen"
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
HUNDRED = 100
NUMBERS = {
    **{word: value for value, word in enumerate(f"{_UNITS} {_TEENS}".split())},
    **{word: 10 * tens for tens, word in enumerate(_TENS.split(), start=2)},
    "hundred": HUNDRED,
}
"""As recognisers of speech write them."""

_TOKEN = re.compile(r"\w+(?:'\w+)?")


def words_of(text: str) -> list[str]:
    """Lower-case words, in their order."""
    return _TOKEN.findall(text.lower().replace("’", "'"))


def negates(word: str) -> bool:
    return word in NEGATIONS or word.endswith("n't")


def is_number(word: str) -> bool:
    return word.isdecimal() or word in NUMBERS or word == "thousand"


def is_content(word: str) -> bool:
    """Whether the word may stand for a subject."""
    return word not in SMALL and not is_number(word) and not negates(word)


def numbers_joined(words: list[str]) -> list[str]:
    """Spelled numbers as one word of digits each: `thirty one` is `31`, `one hundred two` is `102`."""
    found: list[str] = []
    room = 0
    """What may still be added to the number that ends `found` is below this."""
    for word in words:
        value = NUMBERS.get(word)
        if value is None:
            found.append(word)
            room = 0
        elif value == HUNDRED and room and 0 < int(found[-1]) < 10:
            found[-1], room = str(int(found[-1]) * HUNDRED), HUNDRED
        elif 0 < value < room:
            found[-1], room = str(int(found[-1]) + value), _room(value)
        else:
            found.append(str(value))
            room = _room(value)
    return found


def _room(value: int) -> int:
    return HUNDRED if value == HUNDRED else 10 if value >= 20 else 1
