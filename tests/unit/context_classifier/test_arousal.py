"""How intensely something was said."""

import pytest

from nodes.context_classifier.arousal import Voice, arousal

CALM = Voice()


def scale(text: str, repeats: int = 0, voice: Voice = CALM) -> float:
    return arousal(text, repeats, voice).scale


@pytest.mark.parametrize("text", ["where is the cup", "What is 3 + 4?", "OK", "", "now turn the lamp on please"])
def test_what_is_said_calmly_has_none(text: str) -> None:
    assert scale(text) == 0


@pytest.mark.parametrize("text", ["where is the cup!", "WHERE IS THE CUP", "hurry where is the cup"])
def test_each_sign_alone_is_felt(text: str) -> None:
    assert scale(text) >= 0.5


def test_signs_add_up_and_the_strongest_is_named() -> None:
    assert scale("hurry!") > max(scale("hurry"), scale("where!"))
    assert arousal("where is it!!!", 1, CALM).why == "exclamation marks: 3"


def test_insisting_grows_with_every_time() -> None:
    assert 0 < scale("where", repeats=1) < scale("where", repeats=2) < scale("where", repeats=5) < 1


def test_a_voice_counts_by_what_exceeds_its_own_usual() -> None:
    assert scale("where", voice=Voice(loudness=-30.0, usual_loudness=-26.0, rate=2.0, usual_rate=2.7)) == 0
    assert scale("where", voice=Voice(loudness=-14.0, usual_loudness=-26.0)) > 0.8
    assert scale("where", voice=Voice(loudness=-14.0, usual_loudness=-14.0)) == 0
    assert scale("where", voice=Voice(rate=5.0, usual_rate=2.5)) > 0.8


def test_the_reason_repeats_nothing_of_what_was_said() -> None:
    assert "police" not in arousal("police police", 0, CALM).why
