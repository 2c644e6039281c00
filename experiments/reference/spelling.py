"""Numbers as people say them and as they write them: `forty two` and `42` are the same number. 0 to 999."""

import re

_UNITS: tuple[str, ...] = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"),
    *("ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"),
)
_TENS: tuple[str, ...] = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_VALUE = {word: value for value, word in enumerate(_UNITS)} | {word: 10 * n for n, word in enumerate(_TENS, start=2)}
NUMBER_WORDS: tuple[str, ...] = (*_UNITS, *_TENS, "hundred")
LIMIT = 1000

_WORD = "|".join(NUMBER_WORDS)
_RUN = re.compile(rf"\b(?:{_WORD})(?: (?:{_WORD}))*\b")


def spell(number: int) -> str:
    """`342` -> `three hundred forty two`. ValueError outside 0..999."""
    if not 0 <= number < LIMIT:
        raise ValueError(f"{number} is outside 0..{LIMIT - 1}")
    if number >= 100:
        return _joined(f"{_UNITS[number // 100]} hundred", number % 100)
    if number >= 20:
        return _joined(_TENS[number // 10 - 2], number % 10)
    return _UNITS[number]


def _joined(head: str, rest: int) -> str:
    return f"{head} {spell(rest)}" if rest else head


def digits(text: str) -> str:
    """`text` with every spelled number in digits: `five two forty one` -> `5 2 41`."""
    return _RUN.sub(lambda run: " ".join(map(str, numbers(run.group().split()))), text)


def numbers(words: list[str]) -> list[int]:
    """The numbers that a run of number words names, read greedily: `one hundred two three` is 102 and 3."""
    found: list[int] = []
    room = 0
    """What may still be added to the last number is below this."""
    for word in words:
        if word == "hundred":
            if found and 0 < found[-1] < 10:
                found[-1] *= 100
            else:
                found.append(100)
            room = 100
            continue
        value = _VALUE[word]
        if 0 < value < room:
            found[-1] += value
        else:
            found.append(value)
        room = 10 if value in range(20, 100, 10) else 0
    return found
