"""The labelled set: balanced, repeatable, and with no wording on both sides."""

from collections import Counter

import pytest

from experiments.context import release
from experiments.context.dialogues import dialogues
from experiments.context.forerunner import by_keywords
from experiments.context.kinds import KINDS, apart, related
from experiments.context.plants import PLANTS
from experiments.context.split import Side
from experiments.context.trial import traps
from experiments.context.verdict import calibration, verdict
from protocol.messages.context import Context


def test_contexts_and_their_plants_come_equally_often() -> None:
    set_ = dialogues(Side.HELD_OUT, 2, 480)
    assert set(Counter(one.label for one in set_).values()) == {120}
    for label, plants in PLANTS.items():
        found = Counter(one.plant for one in set_ if one.label is label)
        assert set(found) == {plant.__name__ for plant in plants}
        assert max(found.values()) - min(found.values()) <= 1


def test_a_seed_gives_the_same_dialogues() -> None:
    assert dialogues(Side.TUNING, 5, 40) == dialogues(Side.TUNING, 5, 40)
    assert dialogues(Side.TUNING, 5, 40) != dialogues(Side.TUNING, 6, 40)


def test_no_wording_is_on_both_sides() -> None:
    for kind in KINDS.values():
        tuning, held_out = (set(kind.wordings_of(side)) for side in (Side.TUNING, Side.HELD_OUT))
        assert tuning
        assert held_out
        assert not tuning & held_out


def test_kinds_are_related_or_apart_or_neither_and_never_both() -> None:
    for one in KINDS.values():
        assert not apart(one, one)
        for other in KINDS.values():
            assert not (related(one, other) and apart(one, other))
            assert related(one, other) == related(other, one)
            assert apart(one, other) == apart(other, one)


def test_the_set_that_ships_is_what_the_generator_writes() -> None:
    assert release.SET.read_bytes() == release.labelled()


def test_nobody_is_contradicted_by_accident() -> None:
    """Where no contradiction was planted, no subject is told of twice."""
    for one in dialogues(Side.TUNING, 9, 120):
        if one.plant == "told_on":
            assert len({text.lower() for text in one.said}) == len(one.said)


def test_there_are_traps_enough_of_every_context() -> None:
    found = Counter(one.label for one in traps())
    assert sum(found.values()) >= 40
    assert set(found) == set(Context)


@pytest.mark.parametrize(
    ("said", "context"),
    [
        (["show me the list"], Context.NOVEL),  # there is a `how` in `show`
        (["hello"], Context.STABLE),
        (["what is this"], Context.NOVEL),
        (["button pressed"], Context.UNSTABLE),
        (["sort the red keys", "sort those"], Context.MOVING),
        (["open it"], Context.MOVING),
    ],
)
def test_the_forerunners_rules_are_as_the_glossary_gives_them(said: list[str], context: Context) -> None:
    assert by_keywords(said) is context


def test_a_verdict_counts_each_context_alike() -> None:
    labels = [Context.STABLE, Context.MOVING, Context.UNSTABLE, Context.NOVEL]
    assert verdict(labels, labels)["macro_f1"] == 1
    assert verdict(labels, [Context.STABLE] * 4)["macro_f1"] == pytest.approx(0.1)


def test_probabilities_that_come_true_are_calibrated() -> None:
    sure = dict.fromkeys(Context, 0.0) | {Context.STABLE: 1.0}
    assert calibration([Context.STABLE], [sure]) == {"calibration_error": 0, "brier": 0}
    assert calibration([Context.NOVEL], [sure]) == {"calibration_error": 1, "brier": 2}
