"""Where a conversation has been, on vectors made by hand."""

import numpy as np

from nodes.context_classifier import claims, course
from nodes.context_classifier.course import Step

ADD, FIND, TURN = np.eye(3, dtype=np.float32)


def step(vector, text: str) -> Step:
    return Step(vector, claims.hear(text, lambda word: -1))


def never(one: int, other: int) -> float:
    return 0.0


def steps(pattern: str) -> list[Step]:
    """A letter for each subject; small letters are other words about it."""
    about = {"a": (ADD, "{} and {}"), "b": (FIND, "find {} {}"), "c": (TURN, "turn {} {}")}
    found = []
    for at, letter in enumerate(pattern):
        vector, wording = about[letter.lower()]
        words = ("one", "two") if letter.isupper() else (f"x{at}", f"y{at}")
        found.append(step(vector, wording.format(*words)))
    return found


def test_going_to_and_fro_between_two_subjects_swings() -> None:
    assert course.swinging(steps("abab"), never) > 0.6
    assert course.swinging(steps("ababa"), never) > course.swinging(steps("abab"), never)


def test_one_return_is_no_swing_and_staying_ends_it() -> None:
    assert course.swinging(steps("aba"), never) == 0
    assert course.swinging(steps("ababb"), never) == 0
    assert course.swinging(steps("abcabc"), never) == 0


def test_the_same_two_orders_by_turns_swing_though_they_are_alike() -> None:
    on, off = step(ADD, "turn on the lamp"), step(ADD, "turn off the lamp")
    assert course.swinging([on, off, on, off], never) > 0.6
    assert course.swinging([on, on, on, on], never) == 0


def test_a_run_reaches_back_to_the_last_break() -> None:
    assert course.run(steps("abbb"), never) == 2
    assert course.run(steps("aaab"), never) == 0
    assert course.run(steps("a"), never) == 0


def test_repeats_count_the_very_words() -> None:
    assert course.repeats(steps("AbAcA")) == 2
    assert course.repeats(steps("aba")) == 0


def test_drift_is_none_while_nothing_changes_and_one_while_all_does() -> None:
    assert course.drift(steps("aaaa")) == 0
    assert course.drift(steps("abca")) == 1
    assert course.drift(steps("a")) == 0
