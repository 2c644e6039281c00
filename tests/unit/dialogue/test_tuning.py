"""The price is the one of the largest saving that is shown to lose nothing that matters."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodes.dialogue.tuning import PRICES, Replayed, TuningSettings, taken, trial, tune, upper_bound
from nodes.dialogue.utility import Handing

HANDING = Handing(noticed=0.9, alarms=0.1)
SETTINGS = TuningSettings()
COSTS = (1.0, 2.5, 5.0)


def replayed(chances: tuple[float, ...], right: tuple[float, ...], confidences=(None, None, None)) -> Replayed:
    return Replayed(chances=chances, confidences=confidences, right=right, costs=COSTS)


def day(count: int, small: float, large: float = 0.99, seed: int = 0) -> list[Replayed]:
    """Half of the questions are easy, and the small level is right at them with the chance `small`."""
    random = Random(seed)
    found = []
    for number in range(count):
        chance = small if number % 2 else 0.05
        right = (float(random.random() < chance), float(random.random() < 0.9), float(random.random() < large))
        found.append(replayed((chance, 0.9, large), right))
    return found


def test_where_the_small_level_is_known_to_be_as_good_it_answers_and_energy_is_saved() -> None:
    found = tune(day(1000, 0.99), SETTINGS, HANDING)
    assert found.price is not None
    chosen = next(one for one in found.trials if one.price == found.price)
    assert chosen.saving > 0.3
    assert chosen.bound <= SETTINGS.margin
    assert all(one.saving <= chosen.saving for one in found.trials if one.bound <= SETTINGS.margin)


def test_where_no_saving_is_proved_there_is_no_price_and_the_reason_is_said() -> None:
    unknowing = [replayed((0.9, 0.9, 0.9), (float(at % 4 > 0), float(at % 3 > 0), 1.0)) for at in range(400)]
    found = tune(unknowing, SETTINGS, HANDING)
    assert found.price is None
    assert "no price qualifies" in found.why


def test_too_few_questions_prove_nothing() -> None:
    found = tune(day(SETTINGS.fewest - 1, 0.99), SETTINGS, HANDING)
    assert (found.price, found.trials) == (None, [])
    assert "replayed questions" in found.why


def test_the_same_evidence_on_fewer_questions_allows_no_more_saving() -> None:
    few, many = tune(day(150, 0.97), SETTINGS, HANDING), tune(day(4000, 0.97), SETTINGS, HANDING)
    assert (few.price or 0.0) <= (many.price or 0.0)


def test_a_higher_price_never_costs_more() -> None:
    questions = day(300, 0.9)
    savings = [trial(questions, price, 0.95, Handing(noticed=0.0, alarms=0.0)).saving for price in PRICES]
    assert savings == sorted(savings)


def test_a_doubtful_answer_is_handed_on_and_both_are_paid() -> None:
    one = replayed((0.9, 0.95, 0.99), (0.0, 1.0, 1.0), confidences=(0.1, 0.99, None))
    assert taken(one, (0.2, 0.5, 1.0), 0.2, HANDING) == [0, 1]
    assert trial([one], 0.2, 0.95, HANDING).saving == pytest.approx(1 - 3.5 / 5)


def test_no_difference_in_many_pairs_is_proof_in_few_it_is_not() -> None:
    assert upper_bound(0, 0, 1000, 0.95) < 0.005
    assert upper_bound(0, 0, 50, 0.95) > 0.03


def test_the_bound_covers_the_true_difference_as_often_as_it_says() -> None:
    random, covered, rounds, count = Random(5), 0, 600, 300
    for _ in range(rounds):
        pairs = [(random.random() < 0.02, random.random() < 0.01) for _ in range(count)]
        worse = sum(lost and not won for lost, won in pairs)
        better = sum(won and not lost for lost, won in pairs)
        covered += upper_bound(worse, better, count, 0.95) >= 0.01
    assert covered / rounds > 0.92


@given(st.integers(0, 50), st.integers(0, 50), st.integers(100, 2000))
def test_the_bound_lies_above_what_was_measured_and_falls_with_more_questions(
    worse: int, better: int, count: int
) -> None:
    bound = upper_bound(worse, better, count, 0.95)
    assert (worse - better) / count <= bound <= 1
    assert upper_bound(10 * worse, 10 * better, 10 * count, 0.95) <= bound + 1e-9
