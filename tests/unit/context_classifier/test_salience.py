"""What an experience matters: how much of each part there is, and how rare that is."""

import pytest

from nodes.context_classifier.feature import Feature
from nodes.context_classifier.ranks import Histories
from nodes.context_classifier.salience import DIMENSIONS, Part, Salience, Weights, combined
from nodes.metabolic_controller.config import MetabolismConfig
from runtime import config as files
from runtime import paths

WEIGHTS, SETTINGS = Weights(), Salience()
METABOLISM = files.load(paths.shipped("configs/metabolism.yaml"), MetabolismConfig)


def part(scale: float, rank: float) -> Part:
    return Part(Feature(scale, "a reason"), rank)


def salience(**parts: Part) -> float:
    return combined(parts, WEIGHTS, SETTINGS).salience


def among(history: list[float], scale: float) -> Part:
    """A part that is met after `history`."""
    met = Histories(SETTINGS.history, SETTINGS.prior, {"h": history})
    return part(scale, met.rank("h", scale))


def test_each_part_is_its_rank_and_says_why() -> None:
    snarc = combined({"surprise": part(0.8, 0.9), "novelty": part(0.05, 0.2)}, WEIGHTS, SETTINGS)
    assert (snarc.surprise, snarc.novelty, snarc.arousal) == (0.9, 0.2, 0.0)
    assert snarc.why == "surprise above 90% (a reason: 0.80 of 1)"


def test_nothing_of_anything_has_no_salience() -> None:
    snarc = combined({name: part(0.0, 0.0) for name in DIMENSIONS}, WEIGHTS, SETTINGS)
    assert (snarc.salience, snarc.why) == (0.0, "nothing out of the ordinary")
    assert combined({}, WEIGHTS, SETTINGS).salience == 0.0


def test_what_is_rarer_or_more_matters_more() -> None:
    assert salience(novelty=part(0.8, 0.9)) > salience(novelty=part(0.8, 0.5)) > salience(novelty=part(0.4, 0.5))


def test_what_is_not_known_weighs_nothing() -> None:
    known = {"surprise": part(0.8, 0.9), "novelty": part(0.8, 0.9)}
    assert salience(**known) > salience(**known, reward=part(0.0, 0.0))


def test_salience_never_exceeds_the_greatest_scale() -> None:
    parts = {name: part(0.3, 1.0) for name in DIMENSIONS}
    assert salience(**parts) == pytest.approx(0.3)


def test_a_stir_in_a_calm_week_is_rare_and_yet_no_alarm() -> None:
    """Every part of it is above all that was met in 500 inputs; it still neither rouses nor focuses anybody."""
    calm = [number % 10 / 100 for number in range(500)]
    stir = {name: among(calm, 0.25) for name in ("surprise", "novelty", "arousal", "conflict")}
    assert min(each.rank for each in stir.values()) > 0.95
    assert salience(**stir) < METABOLISM.focus.leave_salience


@pytest.mark.parametrize("loud", [0.5, 0.75, 0.9])
def test_an_alarm_after_a_noisy_hour_still_rouses(loud: float) -> None:
    """An alarm is intense and unexpected. Nine tenths of the last inputs were shouted."""
    noisy = [loud if number % 10 else 0.0 for number in range(500)]
    alarm = {
        "surprise": among([0.3] * 500, 0.9),
        "novelty": among([0.3] * 500, 0.9),
        "arousal": among(noisy, 0.98),
        "conflict": part(0.0, 0.0),
    }
    assert salience(**alarm) >= METABOLISM.rest.rouse_salience


def test_even_the_same_alarm_over_and_over_keeps_most_of_its_worth() -> None:
    once, always = among([0.0] * 500, 0.98), among([0.98] * 500, 0.98)
    others = {"surprise": part(0.0, 0.0), "novelty": part(0.0, 0.0), "conflict": part(0.0, 0.0)}
    assert salience(**others, arousal=always) > 0.6 * salience(**others, arousal=once)


def test_weights_that_weigh_nothing_are_refused() -> None:
    with pytest.raises(ValueError, match="weight"):
        Weights(surprise=0, novelty=0, arousal=0, reward=0, conflict=0)
    with pytest.raises(ValueError, match="weight"):
        Weights(surprise=-1)
    with pytest.raises(ValueError, match="finite"):
        Weights(surprise=float("nan"))
