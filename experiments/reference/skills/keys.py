"""What counts in an answer: functions from what was said to what it comes down to. None: it says nothing."""

import re


def last(pattern: str, answer: str) -> str | None:
    """The last such word in the answer: what a chain or a working comes to."""
    found = re.findall(rf"\b({pattern})\b", answer)
    return found[-1] if found else None


def last_number(answer: str) -> str | None:
    return last(r"\d+", answer)


def only(pattern: str, answer: str) -> str | None:
    """The one such word in the answer; None where there is none, or more than one."""
    found = set(re.findall(rf"\b({pattern})\b", answer))
    return found.pop() if len(found) == 1 else None


def every(pattern: str, answer: str) -> str:
    """All such words, in order."""
    return " ".join(re.findall(rf"\b({pattern})\b", answer))


def after_colon(answer: str) -> str:
    return answer.rpartition(":")[2].strip(" .")
